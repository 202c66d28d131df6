package controller

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/state"
	"podd/runtime/workload"
	"podd/runtime/workload/disruption"
)

// failures hold back workloads whose pods fail.
type failures struct{ m *Manager }

func (m *Manager) failures() failures { return failures{m} }

// A pod that has failed is replaced after a while that doubles with each round of failures. The numbers are those by which
// kube-controller-manager replaces failed pods of DaemonSets; here they hold for all kinds but Jobs, which have their own:
// the API server of a cluster slows its controllers down, and nothing here does.
const (
	firstHold = time.Second
	mostHold  = 15 * time.Minute
)

// mostFinished is how many pods that controllers have made are kept when they have ended for good.
const mostFinished = 100

// noteFailure counts a pod that has failed. All that fail while the next ones are held back are one round. A pod that has
// lived for long has not failed because it cannot run here.
func (fa failures) noteFailure(p *corev1.Pod, now state.Instant) {
	e := fa.m.entries[controllerOf(p)]
	if e == nil || e.key.Kind == kindJob || now.Mono < e.hold {
		return
	}
	if now.Wall.Sub(p.CreationTimestamp.Time) > mostHold && e.failures > 0 {
		e.failures = 0
	}
	wait := mostHold
	if e.failures < 10 {
		wait = min(firstHold<<e.failures, mostHold)
	}
	e.failures++
	e.hold = now.After(wait)
	fa.m.treeFiles().save(e)
	if e.failures > 1 {
		why := p.Status.Message
		if why == "" {
			why = p.Status.Reason
		}
		fa.m.RecordEvent(now.Wall, e.reference(), corev1.EventTypeWarning, "BackOff",
			fmt.Sprintf("Pod %s failed: %s; the next one is made in %s", p.Name, why, wait))
	}
}

// forgive lets an object, and what was made of it, begin at once: somebody has changed it.
func (fa failures) forgive(root *entry) {
	for _, e := range fa.m.entries {
		if fa.m.root(e) == root {
			e.failures, e.hold = 0, 0
		}
	}
}

// heldUntil is the end of the back-off on the board's clock; zero: there is none.
func (e *entry) heldUntil(now state.Instant) time.Time {
	if e.hold <= now.Mono {
		return time.Time{}
	}
	return now.Wall.Add(e.hold.Sub(now.Mono))
}

// collectFinished removes the oldest pods that have ended for good and that nobody has to look at any more, if there are too
// many, as a cluster does. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
func (fa failures) collectFinished(now state.Instant) {
	var done []*corev1.Pod
	for uid, p := range fa.m.pods {
		if workload.Terminal(p) && !fa.m.ending[uid] && !fa.m.ghosts[uid] && p.DeletionTimestamp == nil && fa.m.Loop.Made(uid) {
			done = append(done, p)
		}
	}
	if len(done) <= mostFinished {
		return
	}
	slices.SortFunc(done, func(a, b *corev1.Pod) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	extra := len(done) - mostFinished
	for _, p := range done {
		if extra == 0 {
			return
		}
		if len(p.Finalizers) > 0 {
			continue
		}
		extra--
		fa.m.ending[p.UID] = true
		fa.m.Loop.DeletePod(p.UID, now)
	}
}

// MayEvict says why a pod may not be evicted now; nil: it may. ends says of a pod that it was told to end, though it is not
// shown so yet.
func (m *Manager) MayEvict(pod *corev1.Pod, ends func(types.UID) bool, now state.Instant) *disruption.Refusal {
	var budgets []*policyv1.PodDisruptionBudget
	for _, e := range m.sorted() {
		if b, ok := e.object.(*policyv1.PodDisruptionBudget); ok && b.Namespace == pod.Namespace {
			budgets = append(budgets, b)
		}
	}
	if len(budgets) == 0 {
		return nil
	}
	pods := m.stepper().podsIn(pod.Namespace, now)
	for i, p := range pods {
		if p.DeletionTimestamp == nil && ends(p.UID) {
			ending, at := *p, metav1.NewTime(now.Wall)
			ending.DeletionTimestamp, pods[i] = &at, &ending
		}
	}
	return disruption.MayEvict(pod, budgets, pods, m.stepper().scales(pod.Namespace))
}
