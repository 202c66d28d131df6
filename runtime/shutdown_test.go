package runtime

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/shutdown"
	"podd/runtime/state"
)

// listedPods are the pods that clients see, by name.
func (w *world) listedPods() []*corev1.Pod {
	pods, _ := w.d.r.store.Pods()
	return pods
}

// shownPhases are their phases.
func (w *world) shownPhases() map[string]corev1.PodPhase {
	phases := map[string]corev1.PodPhase{}
	for _, p := range w.listedPods() {
		phases[p.Name] = p.Status.Phase
	}
	return phases
}

// finish carries out all that is begun, without time passing.
func (w *world) finish() {
	w.t.Helper()
	for len(w.d.pending) > 0 || w.endAsked() {
		if len(w.d.pending) > 0 {
			w.d.advance(0)
		}
		if err := w.settle(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A shutdown of the machine that is given up: podd stays, the pods go in their order, and run again.
func TestShutdownIsCancelled(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.desired["app"], w.desired["critical"] = modelPod("app", 1, 0), modelPod("critical", 2, 0)
	priority := int32(2_000_000_000)
	w.desired["critical"].Spec.Priority = &priority
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { w.die() }()
	r := w.d.r
	r.Settings.StopGroups = []shutdown.Group{{Grace: 50 * time.Second}, {Priority: priority, Grace: 10 * time.Second}}
	w.finish()
	r.pods["app-v1"].Record.Pins, r.pods["app-v1"].Record.Made = map[string]string{"main": "sha256:app"}, true
	running := map[string]corev1.PodPhase{"app": corev1.PodRunning, "critical": corev1.PodRunning}
	if got := w.shownPhases(); len(got) != 2 || got["app"] != running["app"] || got["critical"] != running["critical"] {
		t.Fatalf("the pods are not running: %v", got)
	}

	ended := make(chan struct{})
	podLoop{r}.holdStop(ended, w.now)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if r.ShuttingDown().IsZero() {
		t.Error("the node does not say that it is shutting down")
	}
	// One that comes now is not begun.
	w.desired["late"] = modelPod("late", 4, 0)
	r.inbox.put(msgManifests{})
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if r.pods["critical-v2"].Record.Ending() != nil {
		t.Error("the critical pod is told to end before the other one has gone")
	}
	w.finish()
	select {
	case <-ended:
	default:
		t.Error("nobody is told that the pods have ended")
	}
	if len(r.pods) != 0 || (podLoop{r}).leaves() {
		t.Errorf("%d pods are left; podd leaves: %t", len(r.pods), podLoop{r}.leaves())
	}

	// What has ended is shown as it ended, until its manifest goes or is another.
	if got := w.shownPhases(); len(got) != 3 || got["app"] != corev1.PodFailed || got["critical"] != corev1.PodFailed {
		t.Errorf("after the pods have ended: %v", got)
	}
	for _, p := range w.listedPods() {
		want := "Terminated"
		if p.Name == "late" {
			want = "NodeShutdown"
		}
		if p.Status.Reason != want || p.DeletionTimestamp != nil {
			t.Errorf("%s is shown with reason %q, deleted at %v", p.Name, p.Status.Reason, p.DeletionTimestamp)
		}
	}
	w.desired["brief"] = modelPod("brief", 5, 0)
	r.inbox.put(msgManifests{})
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.finish()
	delete(w.desired, "brief")
	w.desired["late"] = modelPod("late", 7, 0)
	r.inbox.put(msgManifests{})
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.finish()
	if got := w.listedPods(); len(got) != 3 || got[2].UID != "late-v7" {
		t.Errorf("after one manifest went and one is another: %v", w.shownPhases())
	}

	podLoop{r}.cancelStop(w.now)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.finish()
	if got := w.shownPhases(); len(got) != 3 || got["late"] != corev1.PodRunning || got["app"] != corev1.PodRunning {
		t.Errorf("after it was cancelled: %v", got)
	}
	if rec := r.pods["app-v1"].Record; !rec.Made || rec.Pins["main"] == "" {
		t.Errorf("the pod has forgotten what it was: %+v", rec)
	}
	if !r.ShuttingDown().IsZero() {
		t.Error("the node is shutting down still")
	}

	// The unit is told to stop while the machine shuts down: then podd ends, and there is no way back.
	podLoop{r}.holdStop(make(chan struct{}), w.now)
	r.receive(msgStopAll{}, w.now)
	podLoop{r}.cancelStop(w.now)
	if err := w.settle(); err != nil && len(r.pods) > 0 {
		t.Fatal(err)
	}
	for len(w.d.pending) > 0 || w.endAsked() {
		if len(w.d.pending) > 0 {
			w.d.advance(0)
		}
		r.step()
	}
	if !(podLoop{r}).leaves() {
		t.Errorf("podd does not end; %d pods", len(r.pods))
	}
}

// A pod whose end the shutdown has begun says so until it has gone, also if the shutdown is cancelled meanwhile; one that
// was ending for another reason does not.
func TestCancelledShutdownKeepsTheReason(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.desired["app"], w.desired["old"] = modelPod("app", 1, 3), modelPod("old", 2, 3)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { w.die() }()
	w.finish()
	delete(w.desired, "old")
	w.d.r.inbox.put(msgManifests{})
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	podLoop{w.d.r}.holdStop(make(chan struct{}), w.now)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	podLoop{w.d.r}.cancelStop(w.now)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, p := range w.listedPods() {
		reasons[p.Name] = p.Status.Reason
	}
	if len(reasons) != 2 || reasons["app"] != "Terminated" || reasons["old"] != "" {
		t.Errorf("%v", reasons)
	}
}

// What a shutdown asks of the loop ends with the context of whoever asks.
func TestEndPodsEndsWithItsContext(t *testing.T) {
	r := testRuntime(t)
	r.with("u1").Record.State = state.PodRunning
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.EndPods(ctx); err == nil {
		t.Error("it says that all pods have ended")
	}
}
