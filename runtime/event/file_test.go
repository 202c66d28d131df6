package event

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
)

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := open(t, Options{Path: path})
	r.Record(start, pod("web"), "Warning", "BackOff", "m")
	r.Record(start.Add(time.Second), pod("api"), "Normal", "Started", "m")
	r.Record(start.Add(time.Minute), pod("web"), "Warning", "BackOff", "m")
	for i := range 11 {
		r.Record(start, pod("web"), "Warning", "Failed", fmt.Sprint(i))
	}
	want, rv := r.List("")
	// No Close: a kill does not call it.
	r = open(t, Options{Path: path})
	got, gotRV := r.List("")
	if !equality.Semantic.DeepEqual(got, want) || gotRV != rv {
		t.Errorf("after the restart, at %d:\n%q\nwant, at %d:\n%q", gotRV, summary(got), rv, summary(want))
	}
	if _, _, err := r.Watch(rv - 1); !errors.Is(err, ErrTooOld) {
		t.Errorf("a watch from before the restart: %v", err)
	}
	if _, _, err := r.Watch(rv); err != nil {
		t.Errorf("a watch that has missed nothing: %v", err)
	}
	r.Record(start.Add(time.Hour), pod("web"), "Warning", "BackOff", "m")
	r.Record(start.Add(time.Minute), pod("web"), "Warning", "Failed", "yet another")
	list, _ := r.List("")
	tail := summary(list[len(list)-2:])
	if !slices.Equal(tail, []string{"3 BackOff web: m", "3 Failed web: (combined from similar events): yet another"}) {
		t.Errorf("not counted on: %q", tail)
	}
}

func TestCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := open(t, Options{Path: path, Max: 5})
	for i := range 1000 {
		r.Record(start, pod("web"), "Normal", "R", fmt.Sprint(i%7))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(data, []byte{'\n'}); n > 10 {
			t.Fatalf("%d lines for 5 events", n)
		}
	}
	want, _ := r.List("")
	r = open(t, Options{Path: path, Max: 5})
	if got, _ := r.List(""); !slices.Equal(summary(got), summary(want)) {
		t.Errorf("events %q, want %q", summary(got), summary(want))
	}
	r = open(t, Options{Path: path, Max: 2})
	if got, _ := r.List(""); !slices.Equal(summary(got), summary(want[3:])) {
		t.Errorf("with a smaller limit: %q", summary(got))
	}
}

func TestTornFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := open(t, Options{Path: path})
	r.Record(start, pod("web"), "Normal", "A", "m")
	r.Record(start, pod("web"), "Normal", "B", "m")
	r.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	half := append([]byte("{}\nnonsense\n"), data[:len(data)-10]...)
	if err := os.WriteFile(path, half, 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, Options{Path: path})
	expect(t, r, "1 A web: m")
	r.Record(start, pod("web"), "Normal", "C", "m")
	r = open(t, Options{Path: path})
	expect(t, r, "1 A web: m", "1 C web: m")
}

func TestTroubleIsToldOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	told := 0
	r := open(t, Options{Path: filepath.Join(dir, "events"), Max: 10, Warn: func(error) { told++ }})
	r.file.f.Close() // every write fails from now on
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r.Record(start, pod("web"), "Normal", "R", fmt.Sprint(i))
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Record(start, pod("web"), "Normal", "R", "5")
	r = open(t, Options{Path: filepath.Join(dir, "events")})
	if list, _ := r.List(""); len(list) != 6 {
		t.Errorf("%d events are in the file", len(list))
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"rv":1,"name":"web.1","ref":{"kind":"Pod"},"type":"Normal","reason":"R","message":"m","count":1}` + "\n"))
	f.Add([]byte("{}\n{\"rv\":5,\"name\":\"-1\"}\n{\"rv\":4,\"name\":\"x\"}"))
	six := ""
	for i := range 6 {
		six += fmt.Sprintf(`{"rv":%d,"name":"n%d","reason":"%d"}`+"\n", i+1, i, i)
	}
	f.Add([]byte(six))
	path := filepath.Join(f.TempDir(), "events")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, Options{Path: path, Max: 4})
		want, rv := r.List("")
		r.Close()
		r = open(t, Options{Path: path, Max: 4})
		got, again := r.List("")
		if len(want) > 4 || rv != again || !slices.Equal(summary(got), summary(want)) {
			t.Errorf("loaded %q at %d, then %q at %d", summary(want), rv, summary(got), again)
		}
	})
}
