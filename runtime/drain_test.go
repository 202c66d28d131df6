package runtime

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"podd/netns"
	"podd/runtime/state"
)

const webService = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
`

// heldForwarder is a kernel that takes its time with the tables of Services.
type heldForwarder struct {
	forwarder
	let chan struct{}
}

func (f heldForwarder) Apply(netns.ServiceTable) error { <-f.let; return nil }

// A pod that ends gets its stop signal when the kernel leads nobody to it any more and a moment has passed, or when that takes
// too long; at once where nobody takes its place.
func TestStopSignalFollowsTheRules(t *testing.T) {
	for _, c := range []struct {
		name     string
		replicas int
		applied  bool
		wait     time.Duration
	}{
		{"in order", 2, true, drainPause},
		{"the kernel takes too long", 2, false, drainMost},
		{"alone", 1, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := workloadWorld(t)
			w.workloads["web.yaml"], w.workloads["svc.yaml"] = deploymentYAML(c.replicas, "app"), webService
			if err := w.rest(); err != nil {
				t.Fatal(err)
			}
			held := heldForwarder{let: make(chan struct{})}
			w.d.r.Forwarder = held
			var victim types.UID
			for uid := range w.d.r.pods {
				victim = uid
			}
			w.d.r.workloads.endMade(victim)
			told := func() bool {
				for range 60 {
					w.d.r.step()
					if len(w.d.pending) > 0 {
						w.d.advance(0)
					}
				}
				p := w.processes[state.ContainerID(victim, "main", 0)]
				return p == nil || p.term || !p.alive
			}
			pass := func(d time.Duration) { w.now.Mono, w.now.Wall = w.now.Mono.Add(d), w.now.Wall.Add(d) }
			if c.wait > 0 {
				if told() {
					t.Fatal("the stop signal came while connections were led to the pod")
				}
				if c.applied {
					held.let <- struct{}{}
					close(held.let)
					w.d.r.network.forwarding.Wait()
				}
				if told() {
					t.Fatal("no pause for what was under way")
				}
				pass(c.wait)
			}
			if !told() {
				t.Errorf("no stop signal after %v", c.wait)
			}
			if !c.applied {
				close(held.let)
			}
			w.d.r.network.forwarding.Wait()
		})
	}
}
