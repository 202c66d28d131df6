package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

// evil clears the screen, sets the title, and goes back to write over what was there: as ESC sequences, as C1, as
// bytes, and by the direction of writing.
const evil = "x\x1b[2J\x1b]0;title\x07\r\b\u009b2J\x7f\u202ey"

// commands that must not do so, whatever they show.
func evilDaemon(t *testing.T) string {
	p := apitest.Pod("esc", func(p *corev1.Pod) {
		p.Labels, p.Annotations = map[string]string{"app": evil}, map[string]string{"note": evil}
		p.Spec.Containers[0].Image, p.Spec.Containers[0].Command = evil, []string{evil, "\tcell" + evil}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "E", Value: evil}}
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{evil}}}}
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: evil}}}}
		p.Status.Message, p.Status.Reason = evil, evil
		p.Status.ContainerStatuses[0].ImageID = evil
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: evil, Message: evil, ExitCode: 3}}
		p.Status.ContainerStatuses[0].LastTerminationState = p.Status.ContainerStatuses[0].State
	})
	refused := apitest.Refused("bad", "bad.yaml: "+evil)
	f := apitest.New(p, refused)
	f.PutEvent(apitest.Event(p, "Unhealthy", "Liveness probe failed: "+evil, 1))
	f.PutImage(api.ImageInfo{ID: "sha256:" + evil, Names: []string{"example.org/" + evil}, Platform: evil})
	f.OnLoad = func(io.Reader, api.ImageLoad) ([]api.ImageInfo, error) {
		return []api.ImageInfo{{ID: "sha256:1", Names: []string{evil}}}, nil
	}
	f.OnRemove = func(string) ([]string, error) { return []string{evil}, api.BadRequest("it is used by " + evil) }
	f.OnLogs = func(_ context.Context, _ string, _ *corev1.PodLogOptions, w io.Writer) error {
		_, err := io.WriteString(w, evil)
		return err
	}
	f.OnExec = func(_ context.Context, _ string, _ *corev1.PodExecOptions, s stream.Streams) (int, error) {
		_, err := io.WriteString(s.Stdout, evil)
		return 0, errors.Join(err, errors.New("cannot run it: "+evil))
	}
	return apitest.Serve(t, f)
}

// controls is what a terminal would obey.
func controls(s string) string {
	var found []rune
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)) {
			found = append(found, r)
		}
	}
	return string(found)
}

func TestNothingReachesTheTerminalRaw(t *testing.T) {
	socket := evilDaemon(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "a\x1b[2J\npod x: valid.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[2J\"}\n\"b\\ad\\u009b\": 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"get", "pods"},
		{"get", "pods", "-o", "wide", "--show-labels", "-A"},
		{"get", "pods", "-o", "json"},
		{"get", "pods", "-o", "yaml", "--show-labels"},
		{"get", "pods", "-o", "name"},
		{"get", "events"},
		{"get", "events", "-o", "json"},
		{"describe", "pod", "esc", "bad"},
		{"images", "ls"},
		{"images", "ls", "-o", "name"},
		{"images", "ls", "-o", "json"},
		{"images", "load", "-"},
		{"images", "rm", "x"},
		{"get", "pod", evil},
		{"exec", "esc", "-q", "--", evil},
		{"delete", "pod", evil},
		{"port-forward", evil, "80"},
		{"validate", "-f", dir},
		{"validate", "-f", file + evil},
		{"diff", "-f", dir},
		{"diff", "-f", file + evil},
		{"doctor", "--manifests", filepath.Join(dir, evil), "--config", filepath.Join(dir, evil)},
		{"seal", "-f", file, "--recipient", evil},
		{evil},
		{"__complete", "images", "rm", ""},
	} {
		got := podd(t, strings.NewReader("archive"), append([]string{"--socket", socket}, args...)...)
		out := got.stdout
		if args[0] == "exec" {
			if !strings.HasPrefix(out, evil) {
				t.Errorf("exec changed what the command wrote: %q", out)
			}
			out = strings.TrimPrefix(out, evil)
		}
		if found := controls(out + got.stderr); found != "" {
			t.Errorf("podd %q lets %q through:\n%q", args, found, out+got.stderr)
		}
		if len(got.all()) == 0 {
			t.Errorf("podd %q said nothing", args)
		}
		if args[0] == "validate" && strings.Contains(got.all(), "\npod x") {
			t.Errorf("the name of a file makes a verdict: %q", got.all())
		}
	}
}

// TestObjectsKeepTheirValues: what makes JSON harmless does not change it.
func TestObjectsKeepTheirValues(t *testing.T) {
	socket := evilDaemon(t)
	for format, unmarshal := range map[string]func([]byte, any) error{
		"json": json.Unmarshal, "yaml": func(b []byte, v any) error { return yaml.Unmarshal(b, v) },
	} {
		var p corev1.Pod
		if err := unmarshal([]byte(podd(t, nil, "get", "pod", "esc", "-o", format, "--socket", socket).stdout), &p); err != nil {
			t.Fatal(err)
		}
		if p.Status.Message != evil || p.Annotations["note"] != evil {
			t.Errorf("%s: %q of %q", format, p.Status.Message, podd(t, nil, "get", "pod", "esc", "-o", format, "--socket", socket).all())
		}
	}
}

// TestLogsAreRaw as kubectl's: what a container has written is the user's to pipe anywhere.
func TestLogsAreRaw(t *testing.T) {
	socket := evilDaemon(t)
	for _, args := range [][]string{{"logs", "esc"}, {"logs", "esc", "-c", "app", "--prefix"}} {
		if got := podd(t, nil, append(args, "--socket", socket)...); !strings.HasSuffix(got.stdout, evil) {
			t.Errorf("podd %q: %q", args, got.all())
		}
	}
}
