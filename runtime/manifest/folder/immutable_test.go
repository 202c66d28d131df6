package folder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/runtime/manifest"
)

// What is immutable stays so over a restart; it may change once it has been gone, and a bad file does not count as that.
// An edit that was refused before the restart leaves the last version there.
func TestImmutableOverRestart(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	content := func(kind, value string) string {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: c}\nimmutable: true\n" + map[string]string{"ConfigMap": "data", "Secret": "stringData"}[kind] + ": {a: " + value + "}\n"
	}
	for _, kind := range []string{"ConfigMap", "Secret"} {
		f := Open(Options{Dir: dir, CacheDir: cache})
		now := time.Unix(1_000_000, 0)
		for i, c := range []struct {
			restart bool
			text    string // "": no file
			objects int
			problem string
		}{
			{false, content(kind, "one"), 1, ""},
			{true, content(kind, "one"), 1, ""},
			{true, content(kind, "two"), 0, "changed while podd did not run"},
			{false, content(kind, "three"), 0, "changed while podd did not run"},
			{false, content(kind, "one"), 1, ""},
			{false, content(kind, "two"), 1, "the last version stays"},
			{true, "{", -1, ""},
			{true, content(kind, "one"), 1, ""},
			{true, "", 0, ""},
			{true, content(kind, "two"), 1, ""},
			{false, "", 0, ""},
			{false, content(kind, "one"), 1, ""},
			{false, "", 0, ""},
		} {
			if c.restart {
				f = Open(Options{Dir: dir, CacheDir: cache})
			}
			_ = os.Remove(file)
			if c.text != "" {
				if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var set manifest.Set
			for range 3 { // a file is read once it rests
				now = now.Add(time.Minute)
				set = f.Scan(now)
			}
			if c.objects >= 0 && len(set.Objects) != c.objects {
				t.Errorf("%s %d: %d objects, problems %v", kind, i, len(set.Objects), set.Problems)
			}
			if c.problem != "" && (len(set.Problems) != 1 || !strings.Contains(set.Problems[0].Message, c.problem)) {
				t.Errorf("%s %d: problems %v, want %q", kind, i, set.Problems, c.problem)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(cache, "immutable")); err == nil {
		t.Error("the file stays though nothing is immutable")
	}
}
