package api_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"podd/runtime/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files with what kubectl prints")

func TestKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH")
	}
	server := "http://" + apitest.ServeTCP(t, apitest.Shown())
	home := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := exec.Command(kubectl, append([]string{"--server", server}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null", "TZ=UTC")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	for _, tt := range apitest.Views() {
		t.Run(tt.Golden, func(t *testing.T) {
			got, _ := run(strings.Fields(tt.Args)...)
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
