package devicerules

import (
	"os"
	"path/filepath"
	"testing"

	devices "github.com/opencontainers/cgroups/devices/config"
)

// Only what differs is written: what stays open is open throughout.
func TestUpdateV1WritesWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		name, have  string
		rules       []*devices.Rule
		allow, deny string
	}{
		{"nothing", "c 1:3 rwm\nc 188:0 rw\n", []*devices.Rule{rule("c", 1, 3, "rwm", true), rule("c", 188, 0, "rw", true)}, "", ""},
		{"another", "c 1:3 rwm\nc 188:0 rw\n", []*devices.Rule{rule("c", 1, 3, "rwm", true), rule("c", 188, 1, "rw", true)}, "c 188:1 rw", "c 188:0 rw"},
		{"less of one", "c *:* m\nc 188:0 rw\n", []*devices.Rule{rule("c", -1, -1, "m", true), rule("c", 188, 0, "r", true)}, "", "c 188:0 w"},
		{"a block device of the number", "c 8:1 rw\n", []*devices.Rule{rule("b", 8, 1, "rw", true)}, "b 8:1 rw", "c 8:1 rw"},
		{"all open", "a *:* rwm\n", []*devices.Rule{rule("c", 1, 3, "rwm", true)}, "c 1:3 rwm", "a"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"devices.list": c.have, "devices.allow": "", "devices.deny": ""} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Update(map[string]string{"devices": dir}, c.rules); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for name, want := range map[string]string{"devices.allow": c.allow, "devices.deny": c.deny} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
				t.Errorf("%s: %s has %q, %v, want %q", c.name, name, got, err, want)
			}
		}
	}
	if err := Update(map[string]string{"cpu": "/x"}, nil); err == nil {
		t.Error("without a cgroup for devices it succeeds")
	}
}
