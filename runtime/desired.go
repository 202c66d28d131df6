package runtime

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/controller"
	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
	"podd/runtime/objects"
	"podd/runtime/rollout"
	"podd/runtime/state"
)

// takeSet brings the set of pods into line with what the folder says.
func (r *Runtime) takeSet(set manifest.Set, now state.Instant) {
	wasGone := r.folderNow.Gone
	r.reschedule = true // pods may ask for less
	r.folderNow = set
	if set.RecheckAfter > 0 {
		r.recheck = now.After(set.RecheckAfter)
	}
	if set.Gone && !wasGone && !r.scan.hangs {
		r.Log.Warn("the folder of manifests has vanished; its pods stay until it is back")
	}
	// Of a folder that was never seen nobody knows its Services and policies: those of the daemon before stay.
	if r.scanned || !set.Gone {
		r.policies.MarkChanged()
		r.takeObjects(set.Objects, now)
		r.workloads.takeWorkloads(&set, now)
	}
	before := r.desired
	r.desired = make(map[types.NamespacedName]*manifest.Pod, len(set.Pods))
	var forbidden []manifest.Problem
	for i := range set.Pods {
		m, reason, why := r.admission.admitManifest(&set.Pods[i])
		if why == "" {
			m = r.resolve(m, now)
		} else {
			forbidden = append(forbidden, forbiddenProblem(m, reason, why))
			if m = r.admission.before(m); m == nil {
				continue
			}
		}
		if !r.controllers.Ended(m.Object.UID) {
			r.desired[keyOf(m.Object)] = m
		}
	}
	r.workloads.addMade()
	if !r.scanned && !set.Gone {
		r.scanned = true
		r.podVolumes.catchUpVolumes()
		r.disk.Do(r.volumes.FreeProjects)
	}
	if !r.swept && !set.Hides("Pod", "", "") {
		r.swept = true
		wanted := map[types.UID]bool{}
		for _, m := range r.desired {
			wanted[m.Object.UID] = true
		}
		r.finished.Prune(wanted)
		r.podVolumes.sweepVolumes()
	}
	if !set.Gone {
		r.rollout.Prune(func(key types.NamespacedName) bool { return r.desired[key] != nil })
	}
	for key, m := range r.desired {
		old := before[key]
		if old == nil || old.Object.UID != m.Object.UID || old.File != m.File || old.Doc != m.Doc {
			r.addPod(m, now)
		}
	}
	for key, old := range before {
		if now := r.desired[key]; now == nil || now.Object.UID != old.Object.UID {
			r.mark(old.Object.UID)
			r.dropEnded(old.Object.UID)
		}
	}
	if !set.Hides("Pod", "", "") {
		r.adopter.endOrphans()
	}
	r.takeProblems(slices.Concat(r.rollout.Problems(set.Pods), r.controllers.Problems(), forbidden, set.Problems), now)
}

// resolve gives a manifest the UID of the pod that it continues, which takes the change if it can.
func (r *Runtime) resolve(m *manifest.Pod, now state.Instant) *manifest.Pod {
	p := r.current(m)
	if p == nil {
		m, _, _ = r.rollout.Resolve(m, nil, now)
		return m
	}
	m, change, err := r.rollout.Resolve(withOwners(m, p), p.Record, now)
	switch {
	case err != nil:
		r.Log.Error("cannot take a change", "pod", p.Name(), "error", err)
	case change != nil:
		r.refreshVolumes(p)
		r.Log.Info("pod changed in place", "pod", p.Name(), "fields", strings.Join(change.Fields, ", "))
		r.save(p)
		r.mark(p.Record.UID)
	}
	return m
}

// checkProgressDeadline puts a pod back to its last version that was Ready if it is time, and says when to look again
// (since boot), 0: never.
func (r *Runtime) checkProgressDeadline(p *lifecycle.Pod, blocked bool, now state.Instant) state.BootTime {
	if p.Deleted {
		return 0
	}
	wake, rolledBack := r.rollout.CheckProgressDeadline(&p.Rollout, p.Record, blocked, now)
	if rolledBack != "" {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, rollout.ReasonRolledBack, rolledBack)
		r.inbox.put(msgManifests{})
	}
	return wake
}

// addPod makes a new pod known, unless it is known from an earlier daemon.
func (r *Runtime) addPod(m *manifest.Pod, now state.Instant) {
	uid := m.Object.UID
	p := r.pods[uid]
	if p == nil {
		p = r.adopter.adoptOrphan(m, now)
	}
	if p == nil {
		rec := r.restoreRecord(uid, state.NewRecord(uid, m.Object, now))
		rec.Pins, rec.RuntimeClass = r.rollout.Pins(m), m.RuntimeClass
		p = lifecycle.NewPod(rec)
		r.pods[uid] = p
		r.admission.warnOfSecurity(p, now)
	}
	r.reattach = true
	p.Record.File, p.Record.Doc, p.Record.Hash, p.Record.Since = m.File, m.Doc, m.Hash, m.Since
	r.save(p)
	r.mark(uid)
}

// restoreRecord gives the record of a pod that is new to this boot: as it ended in an earlier one, or fresh.
func (r *Runtime) restoreRecord(uid types.UID, fresh *state.Record) *state.Record {
	rec, err := r.finished.Read(uid)
	if err != nil {
		r.disk.SetAside([]error{err}, "that a pod has ended; it runs again")
	}
	if rec != nil {
		return rec
	}
	executor.LogFolders{Paths: r.paths}.CountAttempts(fresh)
	return fresh
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
			if problem.Reason == rollout.ReasonRolledBack {
				continue // its pod has an event already
			}
			r.Events.Record(now.Wall, objects.ProblemReference(&problem), corev1.EventTypeWarning, problem.Reason, problem.Message)
		}
	}
	r.conditions.manifests.Set("manifests", folderProblem(problems))
	changed := !slices.Equal(problems, r.problems)
	r.problems = problems
	if changed {
		r.store.SetProblems(problems)
		r.reattach = true
		r.claims.Bind(r.podVolumes.claimView(now)) // a claim that a bad file may have had is gone, perhaps
	}
}

// attachProblems gives each pod the sentences about manifests of its name; the others become refused pods. One namespace and
// name is one pod, whatever files say: the pod that is there, or one that stands for all that is refused, workloads too.
func (r *Runtime) attachProblems(now state.Instant) {
	r.reattach = false
	own, names := map[types.NamespacedName]*manifest.Problem{}, []types.NamespacedName{}
	never := r.attachWorkloadProblems(now)
	for i := range r.problems {
		p := r.problems[i]
		if !objects.OfPod(&p) {
			continue
		}
		key := objects.ProblemPod(&p)
		if first := own[key]; first != nil {
			first.Message += "; " + p.Message
			continue
		}
		own[key], names = &p, append(names, key)
	}
	taken := map[types.NamespacedName]bool{}
	for _, p := range r.pods {
		var problem *manifest.Problem
		if key := keyOf(p.Record.Object); r.isShown(p) {
			problem, taken[key] = own[key], true
		}
		if was := p.Problem; was != problem && (was == nil || problem == nil || *was != *problem) {
			p.Problem = problem
			r.publish(p, now)
		}
	}
	var refused []manifest.Problem
	for _, key := range names {
		if !taken[key] && own[key].Reason != manifest.ReasonEmpty { // a file without objects is not a pod, either
			refused = append(refused, *own[key])
		}
	}
	for i := range never {
		key := objects.ProblemPod(&never[i])
		at := slices.IndexFunc(refused, func(p manifest.Problem) bool { return objects.ProblemPod(&p) == key })
		switch {
		case !kinds.MakesPods(never[i].Kind) || taken[key]:
		case at >= 0:
			refused[at].Message += "; " + never[i].Message
		default:
			refused = append(refused, never[i])
		}
	}
	r.store.SetRefusedPods(refused, now.Wall, r.NodeName)
}

// attachWorkloadProblems shows on each workload what is wrong with its file. Those that were never good become refused
// objects, which it returns.
func (r *Runtime) attachWorkloadProblems(now state.Instant) (never []manifest.Problem) {
	of := map[objects.Key]manifest.Problem{}
	for _, p := range r.problems {
		if !controller.Shows(p.Kind) {
			continue
		}
		key := objects.ProblemKey(&p)
		if first, ok := of[key]; ok {
			first.Message += "; " + p.Message
			p = first
		}
		of[key] = p
	}
	never = r.controllers.SetProblems(of, now)
	sort.Slice(never, func(i, j int) bool {
		a, b := &never[i], &never[j]
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Doc, b.Doc), cmp.Compare(a.Kind, b.Kind)) < 0
	})
	r.store.SetRefusedObjects(never, now.Wall)
	return never
}
