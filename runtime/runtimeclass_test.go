package runtime

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/controller"
	"podd/runtime/runtimeclass"
	"podd/runtime/state"
)

// classWorld has a way to come to rest in a world in which not all that is wanted runs.
func classWorld(t *testing.T) (w *world, rest func(want ...string)) {
	w = workloadWorld(t)
	return w, func(want ...string) {
		t.Helper()
		if w.d == nil {
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
		}
		w.d.r.inbox.put(msgManifests{})
		waited := false
		for busy := true; busy; {
			if err := w.settle(); err != nil {
				t.Fatal(err)
			}
			switch busy = true; {
			case len(w.d.pending) > 0:
				w.d.advance(0)
			case len(w.d.pulls) > 0:
				w.d.finishPull(0, 0)
			case w.endAsked():
			case !waited: // a container whose sandbox failed waits for a moment, too
				w.now.Mono, waited = w.now.Mono.Add(2*time.Second), true
			default:
				busy = false
			}
		}
		if got := w.shownPods(); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func classedPod(version int) *corev1.Pod {
	pod, name := modelPod("web", version, 0), "fast"
	pod.Spec.RuntimeClassName = &name
	return pod
}

const fastClass = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: fast}\nhandler: runc\n"

// A pod waits for its RuntimeClass, and is what the class made of it for as long as it is there: edits of the class, of the pod
// in place, and deaths of the daemon included.
func TestRuntimeClass(t *testing.T) {
	w, rest := classWorld(t)
	w.desired["web"] = classedPod(1)
	rest(`web Pending: web.yaml: pods "web" is forbidden: pod rejected: RuntimeClass "fast" not found`)
	w.workloads["class.yaml"] = fastClass + "overhead: {podFixed: {memory: 64Mi}}\nscheduling: {tolerations: [{key: a, operator: Exists}]}\n"
	rest("web Running: ")
	uid := w.desired["web"].UID
	memory := func(what, want string) {
		t.Helper()
		p := w.d.r.pods[uid]
		if p == nil {
			t.Fatalf("%s: another pod runs", what)
		}
		q := p.Record.Object.Spec.Overhead[corev1.ResourceMemory]
		if got := q.String(); got != want || len(p.Record.Object.Spec.Tolerations) != 1 || p.Record.Sandbox.Handler == nil || p.Record.Sandbox.Handler.Name != "runc" {
			t.Errorf("%s: overhead %s, want %s; tolerations %v, handler %v", what, got, want, p.Record.Object.Spec.Tolerations, p.Record.Sandbox.Handler)
		}
	}
	memory("new", "64Mi")
	w.workloads["class.yaml"] = fastClass + "overhead: {podFixed: {memory: 128Mi}}\n"
	rest("web Running: ")
	memory("after an edit of the class", "64Mi")
	w.die()
	rest("web Running: ")
	memory("after a death", "64Mi")
	// In place.
	before := w.desired["web"]
	w.desired["web"] = classedPod(1)
	w.desired["web"].UID, w.desired["web"].Labels = "web-labelled", map[string]string{"a": "b"}
	rest("web Running: ")
	memory("changed in place", "64Mi")
	delete(w.workloads, "class.yaml")
	rest("web Running: ")
	memory("without its class", "64Mi")
	w.desired["web"] = before
	rest("web Running: ")
	memory("changed back", "64Mi")
	// Another pod.
	w.workloads["class.yaml"] = fastClass + "overhead: {podFixed: {memory: 128Mi}}\nscheduling: {tolerations: [{key: a, operator: Exists}]}\n"
	w.desired["web"] = classedPod(2)
	rest("web Running: ")
	uid = w.desired["web"].UID
	memory("another version", "128Mi")
	w.desired["web"] = classedPod(3)
	w.desired["web"].Spec.Overhead = corev1.ResourceList{corev1.ResourceMemory: *w.d.r.pods[uid].Record.Object.Spec.Overhead.Memory()}
	w.workloads["class.yaml"] = fastClass
	rest(`web Running: Forbidden: web.yaml: pods "web" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead`)
	memory("beside a version that is forbidden", "128Mi")

	made := classedPod(4)
	made.Name, made.UID = "made", "made"
	*made.Spec.RuntimeClassName = "none"
	err := w.d.r.workloads.createPod(made, controller.Origin{}, w.now)
	if err == nil || err.Error() != `pods "made" is forbidden: pod rejected: RuntimeClass "none" not found` {
		t.Errorf("a controller's pod: %v", err)
	}
}

// A pod whose handler the node does not have waits, and begins when it has; one that runs stays as it was started.
func TestRuntimeHandler(t *testing.T) {
	w, rest := classWorld(t)
	w.workloads["class.yaml"] = strings.Replace(fastClass, "runc", "gpu", 1)
	w.desired["web"] = classedPod(1)
	rest("web Pending: ")
	uid := w.desired["web"].UID
	if why := w.d.r.pods[uid].Record.Sandbox.Error; !strings.HasPrefix(why, `no runtime for "gpu" is configured; `) {
		t.Errorf("it waits because of %q", why)
	}
	settings := w.d.r.Settings
	settings.RuntimeHandlers = runtimeclass.Handlers{"gpu": {CDIDevices: []string{"example.com/gpu=0"}}}
	w.d.r.inbox.put(msgSettings{settings})
	rest("web Running: ")
	handler := func(what string) {
		t.Helper()
		if h := w.d.r.pods[uid].Record.Sandbox.Handler; h == nil || h.Name != "gpu" || !slices.Equal(h.CDIDevices, []string{"example.com/gpu=0"}) {
			t.Errorf("%s: handler %+v", what, h)
		}
	}
	handler("started")
	settings.RuntimeHandlers = runtimeclass.Handlers{}
	w.d.r.inbox.put(msgSettings{settings})
	rest("web Running: ")
	handler("after an edit of the configuration")
	w.die()
	rest("web Running: ")
	handler("after a death")
}

// What a sandbox that waits says is what Kubernetes says.
func TestClassThatWent(t *testing.T) {
	w, rest := classWorld(t)
	w.workloads["class.yaml"] = fastClass
	w.desired["web"] = classedPod(1)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	delete(w.workloads, "class.yaml")
	w.d.r.inbox.put(msgManifests{})
	w.failNext = true // the operation before knew the class
	rest("web Pending: ")
	p := w.d.r.pods[w.desired["web"].UID]
	if _, err := w.d.r.admission.handlerOf(p.Record.Object); err == nil || err.Error() != `runtimeclass.node.k8s.io "fast" not found` {
		t.Error(err)
	}
	w.workloads["class.yaml"] = fastClass
	rest("web Running: ")
	if p.Record.State != state.PodRunning {
		t.Errorf("%s: %s", p.Record.State, p.Record.Sandbox.Error)
	}
}
