package timezone

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every zone that Go knows is known without Go's own file.
func TestEveryZoneIsEmbedded(t *testing.T) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("there is no Go here: ", err)
	}
	zones, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(goroot)), "lib/time/zoneinfo.zip"))
	if err != nil {
		t.Skip("this Go has no database of time zones: ", err)
	}
	defer zones.Close()
	n := 0
	for _, f := range zones.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if n++; n%10 != 0 { // each costs a decompression
			continue
		}
		data, err := embedded(f.Name)
		if err != nil || data == nil {
			t.Fatalf("%s is missing (go generate ./internal/timezone): %v", f.Name, err)
		}
		if _, err := time.LoadLocationFromTZData(f.Name, data); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if n < 400 {
		t.Errorf("there are %d zones", n)
	}
}

func TestLoad(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Etc/UTC"} {
		if _, err := Load(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := embedded("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocationFromTZData("Europe/Berlin", data)
	if err != nil {
		t.Fatal(err)
	}
	// The clocks were put back at 01:00 UTC.
	for moment, want := range map[time.Time]string{
		time.Date(2026, 10, 25, 0, 59, 0, 0, time.UTC): "02:59 CEST", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC): "02:00 CET",
	} {
		if got := moment.In(zone).Format("15:04 MST"); got != want {
			t.Errorf("%v is %s, want %s", moment, got, want)
		}
	}
	if _, err := Load("Europe/Atlantis"); err == nil || err.Error() != "unknown time zone Europe/Atlantis" {
		t.Errorf("a zone that is not there: %v", err)
	}
}
