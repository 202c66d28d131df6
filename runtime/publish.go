package runtime

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/api"
	"podd/runtime/container/spec"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/prober"
	"podd/runtime/service"
	"podd/runtime/state"
	"podd/runtime/status"
)

// statuses publishes the status of each pod, with the sentence about its manifest. It belongs to the loop.
type statuses struct {
	pods     *podTable
	store    *objects.Store
	prober   *prober.Prober
	services *service.Syncer
	hostIPs  func() []netip.Addr
	nodeName string

	problems []manifest.Problem // of the folder
	reattach bool               // which pods they belong to is to be looked at
}

// publish shows a pod as it is now, if it is not shown so already. One that waits for the end of another of
// its name is not there yet: names are unique.
func (s *statuses) publish(p *lifecycle.Pod, now state.Instant) {
	s.prober.Sync(&p.Probes, p.Record, now)
	if !s.pods.isShown(p) {
		return
	}
	p.Shown = true
	shown := status.Build(p.Record, s.facts(p, now))
	p.Record.NoteConditions(shown.Status.Conditions, now)
	s.services.NotePod(shown)
	s.store.SetPod(shown, status.BackoffEnds(p.Record, now.Mono))
}

func (s *statuses) facts(p *lifecycle.Pod, now state.Instant) status.Facts {
	f := status.Facts{
		Now: now, NodeName: s.nodeName, HostIPs: s.hostIPs(), QOSClass: manifest.QOSClass(&p.Record.Object.Spec),
		Unfit: p.Unfit, ShutDown: s.pods.stopping, RecursiveReadOnly: spec.CanReadOnlyRecursively(),
	}
	if p.Problem != nil {
		f.Refused = &corev1.PodCondition{Type: api.ManifestAccepted, Status: corev1.ConditionFalse, Reason: p.Problem.Reason, Message: p.Problem.Message}
	}
	return f
}

// attachProblems gives each pod the sentences about manifests of its name; the others become refused pods. One namespace and
// name is one pod, whatever files say: the pod that is there, or one that stands for all that is refused.
func (s *statuses) attachProblems(now state.Instant) {
	s.reattach = false
	own, names := map[types.NamespacedName]*manifest.Problem{}, []types.NamespacedName{}
	for i := range s.problems {
		p := s.problems[i]
		if !objects.OfPod(&p) {
			continue
		}
		ref := objects.ProblemReference(&p)
		key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
		if first := own[key]; first != nil {
			first.Message += "; " + p.Message
			continue
		}
		own[key], names = &p, append(names, key)
	}
	taken := map[types.NamespacedName]bool{}
	for _, p := range s.pods.pods {
		var problem *manifest.Problem
		if key := keyOf(p.Record.Object); s.pods.isShown(p) {
			problem, taken[key] = own[key], true
		}
		if was := p.Problem; was != problem && (was == nil || problem == nil || *was != *problem) {
			p.Problem = problem
			s.publish(p, now)
		}
	}
	var refused []manifest.Problem
	for _, key := range names {
		if !taken[key] {
			refused = append(refused, *own[key])
		}
	}
	s.store.SetRefusedPods(refused, now.Wall, s.nodeName)
}
