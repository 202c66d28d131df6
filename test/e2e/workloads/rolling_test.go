package workloads

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podd/test/harness"
	"podd/test/lab"
)

// rollingOf is a Deployment of two pods that never has fewer, without any preStop hook.
func rollingOf(name, container string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
%s`, name, harness.Indent(container, 6))
}

// shortOf ends at once when it is told to, and lets its connections go.
func shortOf(word string) string {
	script := "mkdir -p /tmp/www && echo " + word + " > /tmp/www/word\nhttpd -f -p 8080 -h /tmp/www &\ntrap 'kill $!; exit 0' TERM\nwait $!"
	return rollingOf("short", harness.ContainerOf("web", script, "readinessProbe: {httpGet: {path: /word, port: 8080}, periodSeconds: 1}"))
}

// longOf keeps connections, and when it is told to end answers what it was asked.
func longOf(word string) string {
	return rollingOf("long", harness.Probed("web", "exec answerer -says "+word, "readinessProbe: {httpGet: {path: /word, port: 8080}, periodSeconds: 1}"))
}

// asking counts what clients hear, or why they hear nothing.
type asking struct {
	mu      sync.Mutex
	answers map[string]int
	quit    chan struct{}
	clients sync.WaitGroup
}

// drained is less than how long podd lets a server go on that nobody is led to any more.
const drained = 200 * time.Millisecond

// askOften lets clients ask a URL one time after the other until the end is asked for. With a new connection for each question a
// client of a busy machine may ask too late: what it hears then is not counted.
func askOften(b *harness.Board, url string, clients int, keepAlive bool) *asking {
	a := &asking{answers: map[string]int{}, quit: make(chan struct{})}
	for range clients {
		a.clients.Go(func() {
			var since atomic.Int64 // when the last connection was there, or was not, in nanoseconds
			transport := &http.Transport{
				DisableKeepAlives: !keepAlive,
				DialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
					err = lab.InNetns(b.Netns(), func() error {
						c, err = net.DialTimeout(network, addr, harness.Limit)
						since.Store(time.Now().UnixNano())
						return err
					})
					return c, err
				},
			}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: harness.Limit}
			for {
				select {
				case <-a.quit:
					return
				case <-time.After(time.Millisecond): // the machine has others to serve
				}
				heard := ""
				r, err := client.Get(url)
				late := !keepAlive && time.Since(time.Unix(0, since.Load())) > drained
				if err != nil {
					heard = err.Error()
				} else {
					body, err := io.ReadAll(r.Body)
					_ = r.Body.Close()
					if heard = strings.TrimSpace(string(body)); err != nil {
						heard = err.Error()
					}
				}
				if err != nil && late {
					continue
				}
				a.mu.Lock()
				a.answers[heard]++
				a.mu.Unlock()
			}
		})
	}
	return a
}

func (a *asking) count(word string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answers[word]
}

// A rolling update of web servers behind a Service loses no request, new connection or old, though their pods have no preStop
// hook: podd ends a server when the kernel leads nobody to it any more. That is so when podd is killed in the middle, too.
func TestRollingUpdateLosesNoRequest(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	for _, name := range []string{"short", "long"} {
		b.MustDrop("svc-"+name, harness.ServiceOf(name, "selector: {app: "+name+"}", "ports: [{port: 80, targetPort: 8080}]"))
	}
	roll := func(word string) {
		b.MustDrop("short", shortOf(word))
		b.MustDrop("long", longOf(word))
	}
	rolled := func() {
		t.Helper()
		for _, name := range []string{"short", "long"} {
			b.Until(harness.Has("successfully rolled out"), "rollout", "status", "deploy/"+name, "--timeout", "40s")
			b.Until(func(out string) bool { return strings.Count(out, "Running") == 2 && !harness.Has("Terminating")(out) }, "get", "pods", "-l", "app="+name)
		}
	}
	roll("one")
	rolled()
	list := map[string]*asking{}
	for _, name := range []string{"short", "long"} {
		list[name] = askOften(b, "http://"+b.Service(name).Spec.ClusterIP+"/word", 6, name == "long")
	}
	heard := func(word string) {
		t.Helper()
		for _, a := range list {
			b.Must(lab.Poll(harness.Limit, func() (bool, error) { return a.count(word) > 20, fmt.Errorf("nobody hears %q", word) }))
		}
	}
	heard("one")
	roll("two")
	b.Until(func(out string) bool { return strings.Count(out, "\n") >= 4 }, "get", "pods", "-l", "app=short")
	// Of each Deployment one pod is replaced over a death, and the other without one.
	b.MustKill9()
	b.MustStart()
	rolled()
	heard("two")
	for name, a := range list {
		close(a.quit)
		a.clients.Wait()
		t.Logf("%s: %v", name, a.answers)
		if len(a.answers) != 2 {
			t.Errorf("%s: requests were lost: %v", name, a.answers)
		}
	}
}
