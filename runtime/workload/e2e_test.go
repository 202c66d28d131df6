package workload_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whatever upstream's end-to-end tests show of workloads is shown here by what the table names: all of that is there.
func TestEndToEndTestsOfUpstream(t *testing.T) {
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	for _, dir := range []string{"..", "../../test"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case strings.HasSuffix(path, ".json"):
				there[strings.TrimSuffix(filepath.Base(path), ".json")] = true
			case strings.HasSuffix(path, "_test.go"):
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				for _, m := range function.FindAllSubmatch(text, -1) {
					there[string(m[1])] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	table, err := os.ReadFile("testdata/kubernetes-e2e.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, by, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if reason, isOut := strings.CutPrefix(by, "out: "); isOut && reason != "" {
			continue
		}
		if !ok || by == "" {
			t.Errorf("nothing shows %q", name)
		}
		for _, what := range strings.Fields(by) {
			if !there[what] {
				t.Errorf("%s: there is no %s", name, what)
			}
		}
	}
}
