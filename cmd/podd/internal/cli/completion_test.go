package cli

import (
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

func TestCompletion(t *testing.T) {
	f := apitest.New(apitest.Pod("web-1"), apitest.Pod("web-2"), apitest.Pod("db", func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
	}), apitest.Pod("other", func(p *corev1.Pod) { p.Namespace = "kiosk" }))
	f.PutImage(api.ImageInfo{ID: "sha256:1", Names: []string{"docker.io/library/busybox:latest"}})
	socket := apitest.Serve(t, f)
	none := filepath.Join(t.TempDir(), "none")
	tests := []struct{ line, want string }{
		{"get |", "pods events nodes namespaces configmaps networkpolicies secrets persistentvolumeclaims persistentvolumes storageclasses runtimeclasses serviceaccounts services endpoints endpointslices deployments replicasets statefulsets daemonsets controllerrevisions jobs cronjobs replicationcontrollers podtemplates poddisruptionbudgets"},
		{"get pods |", "db web-1 web-2"},
		{"get pods web|", "web-1 web-2"},
		{"get pods web-1 |", "db web-2"},
		{"get pods -n kiosk |", "other"},
		{"get pods -o |", "wide yaml json name"},
		{"get nodes |", "board"},
		{"logs |", "db web-1 web-2"},
		{"logs db -c |", "app setup"},
		{"exec web-1 |", ""},
		{"describe pod d|", "db"},
		{"delete |", "pod"},
		{"delete pod w|", "web-1 web-2"},
		{"delete pod web-1 w|", "web-2"},
		{"delete pod -n kiosk |", "other"},
		{"images rm |", "docker.io/library/busybox:latest"},
		{"completion |", "bash zsh fish"},
		{"get pods --socket " + none + " |", ""}, // no daemon: nothing, and no error
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			line, ok := strings.CutSuffix(tt.line, "|")
			if !ok {
				t.Fatal("no cursor")
			}
			got := podd(t, nil, append([]string{"__complete", "--socket", socket}, strings.Split(line, " ")...)...)
			proposals := got.stdout[:strings.LastIndex(got.stdout, ":")] // the rest is a directive for the shell
			if strings.Join(words(proposals), " ") != tt.want {
				t.Errorf("got %q, want %q", proposals, tt.want)
			}
		})
	}
}

func TestShellScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := podd(t, nil, "completion", shell); got.code != 0 || !strings.Contains(got.stdout, "podd") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"fly":             "error: unknown command \"fly\" for \"podd\"\n",
		"get":             "error: name what to get: pods, events, nodes or namespaces\n",
		"describe":        "error: name a pod to describe, as in podd describe pod NAME\n",
		"logs":            "error: name a pod\n",
		"logs a b c":      "error: accepts between 1 and 2 arg(s), received 3\n",
		"images fly":      "error: unknown command \"fly\" for \"podd images\"\n",
		"images load":     "error: name a FILE, a FOLDER or - for stdin\n",
		"images load a b": "error: accepts 1 arg(s), received 2\n",
		"images rm":       "error: name an image, by its name or ID\n",
		"completion foo":  "error: there is no completion for \"foo\": name bash, zsh or fish\n",
		"completion":      "error: name a shell: bash, zsh or fish\n",
		"version x":       "error: unknown command \"x\" for \"podd version\"\n",
	} {
		if got := podd(t, nil, words(args)...); got.all() != want || got.code != 1 {
			t.Errorf("%s: code %d, %q", args, got.code, got.all())
		}
	}
}
