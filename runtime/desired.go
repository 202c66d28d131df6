package runtime

import (
	"cmp"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// takeSet brings the set of pods into line with what the folder says.
func (r *Runtime) takeSet(set manifest.Set, now state.Instant) {
	wasGone := r.folderNow.Gone
	r.folderNow = set
	if set.RecheckAfter > 0 {
		r.recheck = now.After(set.RecheckAfter)
	}
	if set.Gone && !wasGone && !r.scan.hangs {
		r.Log.Warn("the folder of manifests has vanished; its pods stay until it is back")
	}
	// Of a folder that was never seen nobody knows its Services and policies: those of the daemon before stay.
	if r.scanned || !set.Gone {
		r.policiesDue = true
		r.takeObjects(set.Objects, now)
	}
	before := r.desired
	r.desired = make(map[podKey]*manifest.Pod, len(set.Pods))
	for i := range set.Pods {
		r.desired[keyOf(set.Pods[i].Object)] = r.resolve(r.withAccount(&set.Pods[i]), now)
	}
	if !r.scanned && !set.Gone {
		r.scanned = true
		r.catchUpVolumes()
		r.disk.do(r.volumes.FreeProjects)
	}
	if !r.swept && !set.Hides("Pod", "", "") {
		r.swept = true
		r.forgetEnds()
		r.sweepVolumes()
	}
	if !set.Gone {
		r.forgetRollbacks()
	}
	for key, m := range r.desired {
		old := before[key]
		if old == nil || old.Object.UID != m.Object.UID || old.File != m.File || old.Doc != m.Doc {
			r.welcome(m, now)
		}
	}
	for key, old := range before {
		if now := r.desired[key]; now == nil || now.Object.UID != old.Object.UID {
			r.mark(old.Object.UID)
		}
	}
	if !set.Hides("Pod", "", "") {
		r.endOrphans()
	}
	r.takeProblems(append(r.rollbackProblems(set.Pods), set.Problems...), now)
}

// welcome makes a new pod known, unless it is known from an earlier daemon.
func (r *Runtime) welcome(m *manifest.Pod, now state.Instant) {
	uid := m.Object.UID
	p := r.pods[uid]
	if p == nil {
		p = r.adoptOrphan(m, now)
	}
	if p == nil {
		rec := r.recall(uid, state.NewRecord(uid, m.Object, now))
		rec.Pins = r.pins(m)
		p = &pod{rec: rec, io: map[string]executor.ContainerIO{}}
		r.pods[uid] = p
	}
	p.rec.File, p.rec.Doc, p.rec.Hash, p.rec.Since = m.File, m.Doc, m.Hash, m.Since
	r.save(p)
	r.mark(uid)
}

// blocked says whether another pod of this name has yet to end. Of two that wait the newest wins, so an
// older one that never ran blocks nobody for long.
func (r *Runtime) blocked(p *pod) bool {
	for uid, other := range r.pods {
		if uid != p.rec.UID && keyOf(other.rec.Object) == keyOf(p.rec.Object) && other.rec.State != state.PodGone {
			return true
		}
	}
	return false
}

func (r *Runtime) wanted(p *pod) bool {
	if r.stopping || p.deleted {
		return false
	}
	m := r.desired[keyOf(p.rec.Object)]
	return m != nil && m.Object.UID == p.rec.UID
}

// markSuccessors looks again at the pods that waited for the end of one of their name.
func (r *Runtime) markSuccessors(key podKey) {
	for uid, other := range r.pods {
		if keyOf(other.rec.Object) == key {
			r.mark(uid)
		}
	}
}

// markAwaiting looks again at every pod that may wait for an image.
func (r *Runtime) markAwaiting() {
	for uid, p := range r.pods {
		if hasVolumes(p.rec) && !p.rec.Volumes.Ready {
			r.refreshVolumes(p)
		}
		for _, c := range p.rec.Containers {
			if !c.State.Alive() {
				r.mark(uid)
			}
		}
	}
}

// takeProblems records what is newly wrong with the folder and publishes what has no pod of its own.
func (r *Runtime) takeProblems(problems []manifest.Problem, now state.Instant) {
	problems = slices.Clone(problems)
	sort.Slice(problems, func(i, j int) bool {
		a, b := &problems[i], &problems[j]
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Doc, b.Doc), cmp.Compare(a.Message, b.Message)) < 0
	})
	for _, problem := range problems {
		if !slices.Contains(r.problems, problem) {
			r.Log.Error("manifest refused", "file", problem.File, "reason", problem.Reason, "error", problem.Message)
			r.Events.Record(now.Wall, objects.ProblemReference(&problem), corev1.EventTypeWarning, problem.Reason, problem.Message)
		}
	}
	r.scan.noteFolder(problems)
	changed := !slices.Equal(problems, r.problems)
	r.problems = problems
	if changed {
		r.store.SetProblems(problems)
		r.attachProblems(now)
		r.bindClaims(now) // a claim that a bad file may have had is gone, perhaps
	}
}

// attachProblems gives each pod the sentence about its own manifest; the others become refused pods.
func (r *Runtime) attachProblems(now state.Instant) {
	own := map[podKey]*manifest.Problem{}
	for i := range r.problems {
		if p := &r.problems[i]; objects.OfPod(p) {
			own[podKey{p.Namespace, p.Name}] = p
		}
	}
	taken := map[*manifest.Problem]bool{}
	for _, p := range r.pods {
		m := r.desired[keyOf(p.rec.Object)]
		p.problem = nil
		if problem := own[keyOf(p.rec.Object)]; problem != nil && m != nil && m.Object.UID == p.rec.UID {
			p.problem, taken[problem] = problem, true
		}
		r.publish(p, now)
	}
	var refused []manifest.Problem
	for i := range r.problems {
		if !taken[&r.problems[i]] && objects.OfPod(&r.problems[i]) {
			refused = append(refused, r.problems[i])
		}
	}
	r.store.SetRefusedPods(refused, now.Wall, r.NodeName)
}
