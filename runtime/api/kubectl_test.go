package api_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files with what kubectl prints")

// shown are the pods of the golden files in testdata/kubectl, which podd's own commands
// are compared with, too.
func shown() *apitest.Fake {
	crash := apitest.Pod("crash", func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0] = apitest.Waiting("app", "CrashLoopBackOff", 3, apitest.Ago(2*time.Hour))
	})
	rich := apitest.RichPod() // has fixed times, so it stays out of what shows ages
	f := apitest.New(apitest.Pod("web"), crash, rich, apitest.Pod("other", func(p *corev1.Pod) { p.Namespace = "kiosk" }))
	f.PutEvent(apitest.Event(crash, "BackOff", "Back-off restarting failed container app in pod crash", 7))
	f.PutEvent(apitest.Event(crash, "Failed", "two\nlines", 1))
	f.PutEvent(apitest.Event(rich, "Unhealthy", "Readiness probe failed: no such file", 1))
	f.PutEvent(apitest.Event(rich, "BackOff", "Back-off restarting failed container crash", 7))
	return f
}

func TestKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH")
	}
	server := "http://" + apitest.ServeTCP(t, shown())
	home := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := exec.Command(kubectl, append([]string{"--server", server}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null", "TZ=UTC")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	tests := []struct{ golden, args string }{
		{"get-pods", "get pods"},
		{"get-pods-wide", "get pods -o wide"},
		{"get-pods-all", "get pods -A -l app!=rich"},
		{"get-pods-labels", "get pods --show-labels"},
		{"get-pods-noheaders", "get pods --no-headers"},
		{"get-pod", "get pod web"},
		{"get-pod-two", "get pods web crash"},
		{"get-pods-selected", "get pods -l app=web,tier!=back"},
		{"get-pods-name", "get pods -o name"},
		{"get-pods-none", "get pods -n nowhere"},
		{"get-pods-none-all", "get pods -A -l app=nothing"},
		{"get-pod-missing", "get pod nothing"},
		{"get-events", "get events"},
		{"get-events-wide", "get events -o wide"},
		{"get-nodes", "get nodes"},
		{"get-nodes-wide", "get nodes -o wide"},
		{"get-namespaces", "get namespaces"},
		{"describe-web", "describe pod web"},
		{"describe-rich", "describe pod rich -n rich"},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			got, _ := run(strings.Fields(tt.args)...)
			path := filepath.Join("testdata", "kubectl", tt.golden)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("kubectl %s\ngot:\n%s\nwant:\n%s", tt.args, got, want)
			}
		})
	}
}
