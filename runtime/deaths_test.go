package runtime

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/state"
)

const setYAML = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 2
  podManagementPolicy: POLICY
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 3, containers: [{name: main, image: IMAGE}]}
`

const recreateYAML = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 3, containers: [{name: main, image: IMAGE}]}
`

// rolloutCase is a rollout in which the daemon dies.
type rolloutCase struct {
	manifest string
	// during is called after each step of the loop.
	during func(t *testing.T, w *world)
	// end is called when all is done.
	end func(t *testing.T, w *world)
}

// onePodAName fails if two pods of one name run.
func onePodAName(t *testing.T, w *world) {
	t.Helper()
	names := map[string]types.UID{}
	for id, p := range w.processes {
		if uid, _, _, _ := state.ParseContainerID(id); p.alive && w.d != nil && w.d.r.pods[uid] != nil {
			name := w.d.r.pods[uid].Record.Object.Name
			if other := names[name]; other != "" && other != uid {
				t.Fatalf("two pods of the name %s run", name)
			}
			names[name] = uid
		}
	}
}

func twoOfApp2(t *testing.T, w *world) {
	t.Helper()
	if got := w.running(); got["app2"] != 2 || len(got) != 1 {
		t.Fatalf("%v run", got)
	}
}

// jobCounts fails if the Job says more than its processes have done.
func jobCounts(t *testing.T, w *world) {
	t.Helper()
	good, bad := 0, 0
	for _, code := range w.exits {
		if code == 0 {
			good++
		} else {
			bad++
		}
	}
	list, _ := w.d.r.store.Objects("Job")
	for _, o := range list {
		if s := o.(*batchv1.Job).Status; int(s.Succeeded) > good || int(s.Failed) > bad {
			t.Fatalf("%d and %d are counted, %d and %d were", s.Succeeded, s.Failed, good, bad)
		}
	}
}

var rolloutCases = map[string]rolloutCase{
	"OrderedReady": {strings.Replace(setYAML, "POLICY", "OrderedReady", 1), func(t *testing.T, w *world) {
		onePodAName(t, w)
		alive := 0
		for _, p := range w.processes {
			if p.alive {
				alive++
			}
		}
		if alive < 1 {
			t.Fatal("a StatefulSet ends one pod at a time, and none runs")
		}
	}, twoOfApp2},
	"Parallel": {strings.Replace(setYAML, "POLICY", "Parallel", 1), onePodAName, twoOfApp2},
	"Recreate": {recreateYAML, func(t *testing.T, w *world) {
		images := map[string]bool{}
		for id, p := range w.processes {
			if p.alive {
				images[w.made[id]] = true
			}
		}
		if len(images) > 1 {
			t.Fatal("pods of two versions run")
		}
	}, twoOfApp2},
	"Job": {jobYAML(3, 2), jobCounts, func(t *testing.T, w *world) {
		s := w.job(t).Status
		if s.Succeeded != 3 || s.Failed != 1 || s.CompletionTime == nil || len(w.exits) != 4 {
			t.Fatalf("%+v after %v", s, w.exits)
		}
	}},
}

// TestDeathsAtEveryStep plays a rollout once for each step that the loop takes in it, and lets the daemon die there. The
// end is the same, and what may not be on the way never is.
func TestDeathsAtEveryStep(t *testing.T) {
	for name, c := range rolloutCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				if steps := playRollout(t, c, at); steps < at {
					if steps < 15 {
						t.Errorf("a rollout of %d steps", steps)
					}
					return
				}
			}
		})
	}
}

// playRollout lets the daemon die at a step, the first of which is 1, and says how many there were.
func playRollout(t *testing.T, c rolloutCase, at int) (steps int) {
	t.Helper()
	w := newWorld(t, t.TempDir())
	w.workloads = map[string]string{"web.yaml": strings.Replace(c.manifest, "IMAGE", "app", 1)}
	isJob := !strings.Contains(c.manifest, "IMAGE")
	failed := false
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("death at %d: %v", at, err)
		}
	}
	if isJob {
		must(w.start())
	} else {
		must(w.rest())
		w.workloads["web.yaml"] = strings.Replace(c.manifest, "IMAGE", "app2", 1)
		w.d.r.inbox.put(msgManifests{})
	}
	for round := range 3000 {
		if round == 2999 {
			t.Fatalf("death at %d: it does not end", at)
		}
		if w.stepOrDie(t, &steps, at) {
			c.during(t, w)
			continue
		}
		c.during(t, w)
		alive := w.ids(func(p *fakeProcess) bool { return p.alive })
		switch {
		case len(w.d.pending) > 0:
			w.d.advance(0)
		case len(w.d.pulls) > 0:
			w.d.finishPull(0, 0)
		case w.endAsked():
		case isJob && len(alive) > 0:
			code := 0
			if !failed {
				failed, code = true, 1
			}
			w.exit(alive[0], code)
		case isJob && w.job(t).Status.CompletionTime == nil, !isJob && !w.resting():
			w.now.Mono, w.now.Wall = w.now.Mono.Add(11e9), w.now.Wall.Add(11e9)
		default:
			must(w.rest())
			c.end(t, w)
			w.die()
			return steps
		}
	}
	return steps
}

// stepOrDie lets the loop take one step if it has something to do. At the step of the death another daemon follows.
func (w *world) stepOrDie(t *testing.T, steps *int, at int) (worked bool) {
	t.Helper()
	r := w.d.r
	if r.scan.running {
		<-r.inbox.ring
	} else {
		select {
		case <-r.inbox.ring:
		default:
			due := len(r.dirty) > 0
			if next := r.controllers.WakeAt(w.now); next != 0 && next <= w.now.Mono {
				due = true
			}
			for _, p := range r.pods {
				due = due || !p.Busy && p.Wake != 0 && p.Wake <= w.now.Mono
			}
			if !due {
				return false
			}
		}
	}
	r.step()
	*steps++
	if *steps == at {
		w.die()
		if err := w.start(); err != nil {
			t.Fatal(err)
		}
		return true
	}
	r.disk.Wait()
	r.network.forwarding.Wait()
	if err := w.check(); err != nil {
		t.Fatal(fmt.Errorf("death at %d, after step %d: %w", at, *steps, err))
	}
	return true
}
