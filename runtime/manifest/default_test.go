package manifest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

var updateDefaults = flag.Bool("update", false, "write the golden files anew")

func TestDefaults(t *testing.T) {
	files, err := filepath.Glob("testdata/defaults/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := decode.YAMLToJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{}
			if faults := decode.Strict(data, pod); len(faults) > 0 {
				t.Fatalf("%+v", faults)
			}
			defaults.SetPod(pod)
			if errs := validate.Pod(pod); len(errs) > 0 {
				t.Errorf("the API server would refuse it: %v", errs)
			}
			got, err := json.MarshalIndent(pod, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".json"
			if *updateDefaults {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != string(got)+"\n" {
				t.Errorf("defaulted pod is\n%s\nwant %s", got, golden)
			}
			defaults.SetPod(pod)
			if again, _ := json.MarshalIndent(pod, "", "  "); string(again) != string(got) {
				t.Error("defaulting a second time changes the pod")
			}
		})
	}
}
