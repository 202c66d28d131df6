package runtime

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/controller"
	"podd/runtime/podsecurity"
)

// What violates the Pod Security Standards is not made, whoever wants it. What runs goes on, also in the place of a version
// that violates them.
func TestPodSecurity(t *testing.T) {
	w := newWorld(t, t.TempDir())
	privileged := func(version int) *corev1.Pod {
		pod, yes := modelPod("web", version, 0), true
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: &yes}
		return pod
	}
	rest := func(enforced string, want ...string) {
		t.Helper()
		w.d.r.Settings.PodSecurity = podsecurity.Settings{Enforced: enforced}
		w.d.r.inbox.put(msgManifests{})
		for busy := true; busy; { // not w.rest, which would have each manifest run
			if err := w.settle(); err != nil {
				t.Fatal(err)
			}
			switch busy = true; {
			case len(w.d.pending) > 0:
				w.d.advance(0)
			case len(w.d.pulls) > 0:
				w.d.finishPull(0, 0)
			default:
				busy = w.endAsked()
			}
		}
		if got := w.shownPods(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	const why = `violates PodSecurity "baseline:latest": privileged (container "main" must not set securityContext.privileged=true)`
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.desired["web"] = privileged(1)
	rest("baseline", `web Pending: web.yaml: pods "web" is forbidden: `+why)
	rest("privileged", "web Running: ")
	uid := w.desired["web"].UID
	rest("baseline", "web Running: ") // it is there
	w.desired["web"] = privileged(2)
	rest("baseline", `web Running: PodSecurity: web.yaml: pods "web" is forbidden: `+why)
	if w.d.r.pods[uid] == nil {
		t.Error("another runs")
	}
	// Also if the daemon is another.
	w.die()
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.d.r.Settings.PodSecurity = podsecurity.Settings{Enforced: "baseline"}
	made := privileged(3)
	made.Name, made.UID = "made", "made"
	if err := w.d.r.workloads.createPod(made, controller.Origin{}, w.now); err == nil || !strings.Contains(err.Error(), `pods "made" is forbidden: `+why) {
		t.Errorf("a controller's pod: %v", err)
	}
	w.desired["web"] = modelPod("web", 4, 0)
	rest("baseline", "web Running: ")
	if w.d.r.pods[w.desired["web"].UID] == nil {
		t.Error("the version that is allowed does not run")
	}
}
