package cli

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/harness"
	"podd/test/lab"
)

// forwarded starts podd port-forward to one port and returns where it listens.
func forwarded(b *harness.Board, args ...string) string {
	b.T.Helper()
	command := b.Podd(append([]string{"port-forward", "--address", "127.0.0.1"}, args...)...)
	out, err := command.StdoutPipe()
	b.Must(err)
	b.Must(command.Start())
	b.T.Cleanup(func() {
		_ = command.Process.Signal(unix.SIGINT)
		_ = command.Wait()
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	b.Must(err)
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	address, _, ok := strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " -> ")
	if !ok {
		b.T.Fatalf("port-forward says %q", line)
	}
	return address
}

// Ports of a pod, and of a ready pod behind a Service, are reached through the daemon's socket, by many at once.
//
// e2e: Kubectl Port forwarding :: With a server listening on 0.0.0.0 :: should support forwarding over websockets
func TestPortForward(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.Serving("web", "web")+"---\n"+harness.ServiceOf("front", "selector: {app: web}", "ports: [{name: http, port: 80, targetPort: web}]"))
	b.Running("web")
	b.Lookup("web", "front.default.svc.cluster.local", "Address: 10.211.")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out := b.Column(1, "ep", "front")
		return strings.HasSuffix(out, ":8080"), fmt.Errorf("endpoints %s", out)
	}))
	for _, args := range [][]string{{"web", ":8080"}, {"pod/web", ":web"}, {"svc/front", ":80"}, {"svc/front", ":http"}} {
		address := forwarded(b, args...)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address + "/")
				if err != nil {
					t.Error(err)
					return
				}
				defer answer.Body.Close()
				if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "web\n" {
					t.Errorf("%v: %q, %v", args, body, err)
				}
			})
		}
		all.Wait()
	}
	for _, c := range []struct{ args, want string }{
		{"nobody 80", `pods "nobody" not found`},
		{"web 0:80", `"0" is not a port`},
		{"web :nope", `pod "web" has no port named "nope"`},
		{"svc/front :81", `the Service "front" has no port 81`},
		{"web --address nowhere :80", `"nowhere" is not an address to listen on`},
	} {
		if _, stderr, code := b.RunCLI(append([]string{"port-forward"}, strings.Fields(c.args)...)...); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("port-forward %s: code %d, %s", c.args, code, stderr)
		}
	}
}
