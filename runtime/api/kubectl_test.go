package api_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

var update = flag.Bool("update", false, "write the golden files with what kubectl prints")

// kubectl runs the real one against a server of b.
func kubectl(t *testing.T, b api.Backend) func(stdin string, args ...string) (string, int) {
	t.Helper()
	path, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH")
	}
	server := "http://" + apitest.ServeTCP(t, b)
	home := t.TempDir()
	return func(stdin string, args ...string) (string, int) {
		cmd := exec.Command(path, append([]string{"--server", server}, args...)...)
		// Releases 1.29 and 1.30 ask for SPDY unless they are told.
		cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null", "TZ=UTC", "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true")
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
}

func TestKubectl(t *testing.T) {
	run := kubectl(t, apitest.Shown())
	for _, tt := range apitest.Views() {
		t.Run(tt.Golden, func(t *testing.T) {
			got, _ := run("", strings.Fields(tt.Args)...)
			path := filepath.Join("testdata", "kubectl", tt.Golden)
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
				t.Errorf("kubectl %s\ngot:\n%s\nwant:\n%s", tt.Args, got, want)
			}
		})
	}
}

// What kubectl does beside printing tables.
func TestKubectlActs(t *testing.T) {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("file"))
	f.OnLogs = func(_ context.Context, name string, o *corev1.PodLogOptions, w io.Writer) error {
		_, err := fmt.Fprintf(w, "log of %s/%s tail %d\n", name, o.Container, *o.TailLines)
		return err
	}
	f.OnExec = func(_ context.Context, _ string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
		if !o.Stdin {
			fmt.Fprintln(s.Stderr, "failed")
			return 42, nil
		}
		_, err := io.Copy(s.Stdout, s.Stdin)
		return 0, err
	}
	run := kubectl(t, f)
	tests := []struct {
		stdin, args, want string
		code              int
	}{
		{"", "logs a --tail=5", "log of a/app tail 5\n", 0},
		{"", "exec a -- false", "failed\ncommand terminated with exit code 42\n", 42},
		{"to and fro", "exec -i a -- cat", "to and fro", 0},
		{"", "delete pod file", "Error from server (BadRequest): pod \"file\" comes from a file: remove the file\n", 1},
		{"", "delete pod a", "Warning: its manifest stays, so that the pod starts anew; remove the file to end it for good\npod \"a\" deleted", 0}, // newer ones add from where,
		{"", "run x --image=y", "Error from server (MethodNotAllowed): podd takes its pods from the files of its manifest folder: to change one, change its file\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got, code := run(tt.stdin, strings.Fields(tt.args)...)
			// kubectl throws away what comes before it has made its streams; no pod answers as quickly as this one.
			for tries := 0; tries < 5 && strings.Contains(got, "Unknown stream id"); tries++ {
				got, code = run(tt.stdin, strings.Fields(tt.args)...)
			}
			if !strings.HasPrefix(got, tt.want) || code != tt.code {
				t.Errorf("code %d\ngot:\n%s\nwant:\n%s", code, got, tt.want)
			}
		})
	}
}
