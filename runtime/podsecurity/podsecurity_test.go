package podsecurity

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func readPod(t *testing.T, path string) *corev1.Pod {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(text, &pod); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i := range pod.Spec.Volumes { // as the API server fills it in, and podd
		if v := &pod.Spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	return &pod
}

// Of each level and version the module publishes pods that pass and pods that do not.
func TestPublishedCases(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "test/testdata/*/v*/*/*.yaml"))
	if err != nil || len(files) < 1000 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	pass, fail := 0, 0
	for _, file := range files {
		parts := strings.Split(filepath.ToSlash(file), "/")
		level, version, kind := parts[len(parts)-4], parts[len(parts)-3], parts[len(parts)-2]
		labels := map[string]string{"pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": version}
		pod := readPod(t, file)
		for _, tc := range []struct {
			settings Settings
			labels   map[string]string
		}{{Settings{}, labels}, {Settings{Enforced: level + ":" + version}, nil}} {
			v, err := tc.settings.Judge(pod, tc.labels)
			if err != nil {
				t.Fatal(err)
			}
			if refused := strings.HasPrefix(v.Refused, `violates PodSecurity "`+level+":"+version+`": `); refused != (kind == "fail") || !refused && v.Refused != "" {
				t.Errorf("%s: %q", file, v.Refused)
			}
		}
		if kind == "pass" {
			pass++
		} else {
			fail++
		}
	}
	t.Logf("%d pods pass, %d are refused", pass, fail)
}

func TestJudge(t *testing.T) {
	yes, class := true, "trusted"
	pod := &corev1.Pod{Spec: corev1.PodSpec{HostNetwork: true, RuntimeClassName: &class, Containers: []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}}}
	pod.Namespace = "shop"
	const baseline = `PodSecurity "baseline:latest": host namespaces (hostNetwork=true), privileged (container "c" must not set securityContext.privileged=true)`
	label := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m["pod-security.kubernetes.io/"+kv[i]] = kv[i+1]
		}
		return m
	}
	for name, tc := range map[string]struct {
		s      Settings
		labels map[string]string
		want   Verdict
	}{
		"nothing":             {},
		"the node":            {s: Settings{Enforced: "baseline"}, want: Verdict{Refused: "violates " + baseline}},
		"a looser namespace":  {s: Settings{Enforced: "baseline"}, labels: label("enforce", "privileged")},
		"a stricter one":      {labels: label("enforce", "baseline"), want: Verdict{Refused: "violates " + baseline}},
		"a warning":           {labels: label("warn", "baseline"), want: Verdict{Warned: "would violate " + baseline}},
		"an audit":            {labels: label("audit", "baseline"), want: Verdict{Audited: "would violate " + baseline}},
		"an exempt namespace": {s: Settings{Enforced: "baseline", Namespaces: []string{"shop"}}},
		"an exempt class":     {s: Settings{Enforced: "baseline", RuntimeClasses: []string{"trusted"}}},
		"a future version": {labels: label("enforce", "baseline", "enforce-version", "v1.999"), want: Verdict{
			Refused: "violates " + strings.Replace(baseline, "latest", "v1.999", 1),
		}},
	} {
		if got, err := tc.s.Judge(pod, tc.labels); err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if v, _ := (&Settings{}).Judge(pod, label("enforce", "strict")); !strings.HasPrefix(v.Refused, `violates PodSecurity "restricted:latest": `) {
		t.Errorf("of a label that is wrong: %+v", v)
	}
	for text, want := range map[string]string{
		"": "", "restricted": "", "baseline:v1.30": "", "privileged:latest": "",
		"strict": `level "strict" must be one of privileged, baseline, restricted`, "baseline:1.30": `version "1.30" must be "latest" or "v1.x"`,
	} {
		if err := Check(text); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
