package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

// debugBoard has a pod, and a folder of manifests with its file.
func debugBoard(t *testing.T) (f *apitest.Fake, run func(args ...string) result, dir string) {
	dir = t.TempDir()
	file := filepath.Join(dir, "web.yaml")
	if err := os.WriteFile(file, []byte("kind: Pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f = apitest.New(apitest.Pod("web", func(p *corev1.Pod) {
		p.Annotations = map[string]string{"podd.dev/manifest": file}
		p.Spec.Containers[0].Image = "web:1"
	}))
	socket := apitest.Serve(t, f)
	return f, func(args ...string) result {
		return podd(t, strings.NewReader("typed"), append([]string{"--socket", socket, "debug", "--manifests", dir}, args...)...)
	}, dir
}

func TestDebugAddsAContainer(t *testing.T) {
	f, run, _ := debugBoard(t)
	if got := run("web", "--image=busybox", "--target=app", "--profile=legacy"); got.code != 0 ||
		!strings.HasPrefix(got.stdout, "Targeting container \"app\".") || !strings.Contains(got.stdout, "Defaulting debug container name to debugger-") ||
		!strings.Contains(got.stderr, "--profile=legacy is deprecated") {
		t.Errorf("%+v", got)
	}
	pods, _ := f.Pods()
	if e := pods[0].Spec.EphemeralContainers; len(e) != 1 || e[0].TargetContainerName != "app" || e[0].Image != "busybox" {
		t.Errorf("%+v", e)
	}
	for args, says := range map[string]string{
		"":                              "you must specify --image when not using --copy-to",
		"--image=x":                     "NAME or filename is required for debug",
		"none --image=x":                `pods "none" not found`,
		"deploy/web --image=x":          "podd debug takes pods, and node/NAME",
		"web --image=x --custom=/none":  "must pass a container spec json file",
		"node/none --image=x":           `nodes "none" not found`,
		"node/n --image=x --copy-to=y":  "are about pods",
		"web --image=x --profile=admin": "unknown profile: admin",
	} {
		if got := run(words(args)...); got.code != 1 || !strings.Contains(got.stderr, says) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// It attaches with -i; of a container that has ended it shows what it wrote, and how it ended. Meanwhile it says what it waits for.
func TestDebugAttaches(t *testing.T) {
	f, run, _ := debugBoard(t)
	f.OnAttach = func(_ context.Context, container string, s stream.Streams) error {
		in, err := io.ReadAll(s.Stdin)
		fmt.Fprintf(s.Stdout, "%s read %s\n", container, in)
		return err
	}
	f.OnLogs = func(_ context.Context, _ string, o *corev1.PodLogOptions, w io.Writer) error {
		_, err := fmt.Fprintf(w, "log of %s\n", o.Container)
		return err
	}
	become := func(state corev1.ContainerState) {
		pods, _ := f.Pods()
		p := pods[0].DeepCopy()
		p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "look", State: state}}
		f.Put(p)
	}
	become(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	if got := run("web", "-q", "-i", "-c", "look", "--image=x"); got.stdout != "look read typed\n" || got.code != 0 {
		t.Errorf("%+v", got)
	}
	become(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 7, Reason: "Error"}})
	if got := run("web", "--attach", "-c", "look", "--image=x"); got.stdout != "log of look\n" || got.stderr != "container look has ended (Error) with exit code 7\n" || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestDebugWritesACopy(t *testing.T) {
	_, run, dir := debugBoard(t)
	if got := run("web", "--copy-to=copy", "--replace", "--image=busybox", "-c", "look"); got.code != 0 || !strings.Contains(got.stderr, "remove "+dir+"/copy.yaml to end it") {
		t.Fatalf("%+v", got)
	}
	data, err := os.ReadFile(filepath.Join(dir, "copy.yaml"))
	if err != nil || !strings.Contains(string(data), "name: look") || strings.Contains(string(data), "podd.dev") {
		t.Errorf("%s, %v", data, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the pod was not replaced: %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte("kind: Pod\n---\nkind: Pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run("web", "--copy-to=two", "--replace", "--image=busybox"); got.code != 1 || !strings.Contains(got.stderr, "has 2 objects") {
		t.Errorf("%+v", got)
	}
}

// --custom is read strictly.
func TestDebugCustom(t *testing.T) {
	f, run, dir := debugBoard(t)
	file := filepath.Join(dir, "custom")
	for text, says := range map[string]string{"env: [{name: A, value: b}]": "", `{"securityContext": {"runAsRoot": true}}`: "runAsRoot", "image: x": "not modifiable via custom profile"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run("web", "--image=x", "--custom", file); (says == "") != (got.code == 0) || !strings.Contains(got.stderr, says) {
			t.Errorf("%s: %+v", text, got)
		}
	}
	pods, _ := f.Pods()
	e := pods[0].Spec.EphemeralContainers
	if data, err := json.Marshal(e); len(e) != 1 || err != nil || !strings.Contains(string(data), `"env":[{"name":"A","value":"b"}]`) {
		t.Errorf("%s", data)
	}
}
