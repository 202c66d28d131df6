package manifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podd/runtime/manifest/kinds"
)

// casesDir holds manifests that others wrote, beside the repository.
const casesDir = "../../../shared/cases"

// TestCases tries the manifests of the Kubernetes documentation. What the API server rejects is refused as invalid;
// a pod that it accepts is accepted, or refused for a field of the table and nothing else.
func TestCases(t *testing.T) {
	dir := filepath.Join(casesDir, "kubernetes-website")
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Skipf("no cases here: %v", err)
	}
	accepted, refused := 0, 0
	for i, line := range strings.Split(strings.TrimSpace(string(index)), "\n") {
		columns := strings.Split(line, "\t")
		if i == 0 || len(columns) < 4 {
			continue
		}
		path, known, verdict := columns[0], strings.Split(columns[1], ","), columns[3]
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			objects, problems := Parse(path, data)
			if len(objects)+len(problems) != len(known) {
				t.Fatalf("%d objects and %d problems of %d documents: %+v", len(objects), len(problems), len(known), problems)
			}
			accepted += len(objects)
			bad := 0
			for _, p := range problems {
				switch p.Reason {
				case ReasonUnsupported:
					refused++
				case ReasonInvalid:
					// The API server leaves a placeholder for an image to the kubelet, which refuses it.
					if !strings.Contains(p.Message, "couldn't parse image name") {
						bad++
					}
				case ReasonKind:
					if known[p.Doc] == "Pod" {
						t.Errorf("a Pod is refused for its kind: %s", p.Message)
					}
					if !strings.Contains(p.Message, "kind "+known[p.Doc]+" of ") {
						t.Errorf("%q does not name kind %s", p.Message, known[p.Doc])
					}
				}
				if !strings.HasPrefix(p.Message, path+": ") || p.Line == 0 {
					t.Errorf("line %d: %q does not name the file, or there is no line", p.Line, p.Message)
				}
			}
			known := !slices.ContainsFunc(known, func(k string) bool { return k != kinds.KindPod && kinds.Of(k) == nil })
			if wantBad := verdict == "REJECT" && known; wantBad != (bad > 0) {
				t.Errorf("API server says %s, podd %+v", verdict, problems)
			}
			if verdict == "REJECT" && len(objects) > 0 {
				t.Errorf("the API server rejects it, podd accepts it")
			}
		})
	}
	t.Logf("%d objects accepted, %d refused by the table", accepted, refused)
	if accepted == 0 || refused == 0 {
		t.Error("the index was not read as meant")
	}
}

// TestEdgeCases tries manifests of edge projects: each document becomes a pod or one sentence.
func TestEdgeCases(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(casesDir, "edge", "*.yaml"))
	if len(files) == 0 {
		t.Skipf("no cases in %s", casesDir)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, problems := Parse(filepath.Base(file), data)
		for _, p := range problems {
			if p.Reason == ReasonInvalid {
				t.Errorf("%s", p.Message)
			}
			t.Logf("%s", p.Message)
		}
		if len(objects)+len(problems) == 0 {
			t.Errorf("%s: nothing comes of it", file)
		}
	}
}
