package manifest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

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
			data, err := yamlToJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{}
			if faults := decodeStrict(data, pod); len(faults) > 0 {
				t.Fatalf("%+v", faults)
			}
			setDefaults(pod)
			if errs := validatePod(pod); len(errs) > 0 {
				t.Errorf("the API server would refuse it: %v", errs)
			}
			got, err := json.MarshalIndent(pod, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".json"
			if *update {
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
			setDefaults(pod)
			if again, _ := json.MarshalIndent(pod, "", "  "); string(again) != string(got) {
				t.Error("defaulting a second time changes the pod")
			}
		})
	}
}

func TestPullPolicy(t *testing.T) {
	tests := map[string]corev1.PullPolicy{
		"busybox": "Always", "busybox:latest": "Always", "busybox:1": "IfNotPresent", "r:5000/busybox": "Always",
		"r:5000/busybox:1": "IfNotPresent", "busybox@sha256:00": "IfNotPresent", "busybox:latest@sha256:00": "Always", "": "Always",
	}
	for image, want := range tests {
		if got := pullPolicyOf(image); got != want {
			t.Errorf("%q is pulled %s, want %s", image, got, want)
		}
	}
}
