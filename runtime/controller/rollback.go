package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/state"
	"podd/runtime/workload"
)

// rollbacks watch how new revisions of workloads do, and put earlier ones back.
type rollbacks struct{ m *Manager }

func (m *Manager) rollbacks() rollbacks { return rollbacks{m} }

// reasonRolledBack is that of a manifest whose version was given up, as for pods.
const reasonRolledBack = "RolledBack"

// goodVersion is the version of a workload that was complete last: what a worse one is put back to.
type goodVersion struct {
	Template json.RawMessage   `json:"template"`
	Images   map[string]string `json:"images"` // the IDs that its containers ran, by name
}

// trial is a version that is being judged. It is of this boot: after a reboot a version has all of its time again.
type trial struct {
	Of    string         `json:"of"`    // a sum of the template
	Since state.BootTime `json:"since"` // when it began or got on last
	Best  int32          `json:"best"`  // how far it got: the pods that are of it, and those that serve
	Good  state.BootTime `json:"good"`  // since when it is complete; 0: it is not
}

// standing is how far a workload's rollout is.
type standing struct {
	judged   bool  // the rollout goes by itself: it is not paused, and waits for nobody
	complete bool  // all pods are of the present template and serve
	failed   bool  // the controller has given it up
	progress int32 // grows as it gets on
}

// standingOf is about the present template. A workload without pods has nothing to say.
func standingOf(o workload.Object) (s standing) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		st, n := &o.Status, *o.Spec.Replicas
		s.judged = !o.Spec.Paused && n > 0 && st.ObservedGeneration >= o.Generation
		s.complete = st.UpdatedReplicas == n && st.Replicas == n && st.AvailableReplicas == n
		s.progress = st.UpdatedReplicas + st.ReadyReplicas
		for _, c := range st.Conditions {
			s.failed = s.failed || c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded"
		}
	case *appsv1.StatefulSet:
		st, n, u := &o.Status, *o.Spec.Replicas, o.Spec.UpdateStrategy
		whole := u.RollingUpdate == nil || u.RollingUpdate.Partition == nil || *u.RollingUpdate.Partition == 0
		s.judged = u.Type == appsv1.RollingUpdateStatefulSetStrategyType && whole && n > 0 && st.ObservedGeneration >= o.Generation
		s.complete = st.CurrentRevision == st.UpdateRevision && st.Replicas == n && st.AvailableReplicas == n
		s.progress = st.UpdatedReplicas + st.ReadyReplicas
	case *appsv1.DaemonSet:
		st := &o.Status
		s.judged = o.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType && st.DesiredNumberScheduled > 0 && st.ObservedGeneration >= o.Generation
		s.complete = st.UpdatedNumberScheduled == 1 && st.NumberAvailable == 1
		s.progress = st.UpdatedNumberScheduled + st.NumberReady
	}
	return s
}

// checkProgress keeps the version of a workload that asks for it when it is complete for a while, and puts that one back when a later
// one does not become so in time. It is called after each step.
func (rb rollbacks) checkProgress(e *entry, now state.Instant) {
	if e.parent != "" || rb.m.entries[e.object.GetUID()] != e || templateOf(e.object) == nil {
		return
	}
	asks := e.object.GetAnnotations()
	s := standingOf(e.object)
	if asks[annotation.RollbackKey] != "true" || !s.judged {
		e.trial = nil
		return
	}
	rb.endStuck(e, now)
	template, err := json.Marshal(templateOf(e.object))
	if err != nil {
		return
	}
	sum := sha256.Sum256(template)
	of := hex.EncodeToString(sum[:8])
	if e.trial == nil || e.trial.Of != of {
		e.trial = &trial{Of: of, Since: now.Mono}
		rb.m.treeFiles().save(e)
	}
	t := e.trial
	if s.complete {
		if t.Good == 0 {
			t.Good = max(now.Mono, 1)
			rb.m.treeFiles().save(e)
		}
		at := t.Good.Add(annotation.MinReady(asks))
		if now.Mono < at {
			rb.lookAt(e, at, now)
			return
		}
		if e.good == nil || string(e.good.Template) != string(template) {
			e.good = &goodVersion{Template: template, Images: rb.imagesOf(e)}
			rb.m.treeFiles().save(e)
		}
		return
	}
	t.Good = 0
	if s.progress > t.Best {
		t.Best, t.Since = s.progress, now.Mono
		rb.m.treeFiles().save(e)
	}
	if e.good == nil || string(e.good.Template) == string(template) {
		return
	}
	limit := annotation.ProgressDeadline(asks)
	if at := t.Since.Add(limit); now.Mono < at && !s.failed {
		rb.lookAt(e, at, now)
		return
	}
	rb.rollbackTo(e, limit, now)
}

// endStuck ends the pods of a version that was given up which keep a StatefulSet from the one that was put back: it waits for a pod
// that does not serve, even if its template is another by now. It is looked for after each step, as a daemon that has died may have
// left some.
func (rb rollbacks) endStuck(e *entry, now state.Instant) {
	set, ok := e.object.(*appsv1.StatefulSet)
	if !ok || !slices.ContainsFunc(e.overrides, func(v Override) bool { return v.Why != "" }) {
		return
	}
	for _, p := range rb.m.stepper().podsIn(e.key.Namespace, now) {
		if controllerOf(p) == set.UID && workload.Active(p) && !workload.Ready(p) && p.Labels[appsv1.ControllerRevisionHashLabelKey] != set.Status.UpdateRevision {
			rb.m.stepper().deletePod(e, p, now)
		}
	}
}

// lookAt has an entry looked at again at a moment since boot.
func (rb rollbacks) lookAt(e *entry, at state.BootTime, now state.Instant) {
	if wall := now.Wall.Add(at.Sub(now.Mono)); e.wake.IsZero() || wall.Before(e.wake) {
		e.wake = wall
	}
}

// rollbackTo sets the template of the last good version over that of the file, until the file has another one.
func (rb rollbacks) rollbackTo(e *entry, limit time.Duration, now state.Instant) {
	why := fmt.Sprintf("%s: %s %q did not become available within %s of its change and was put back to the version that was available last; correct the file to have it tried again",
		e.origin.File, e.key.Kind, e.key.Name, limit)
	err := rb.m.overrides().setOverride(e, Override{Path: "spec.template", Value: e.good.Template, Pins: e.good.Images, Why: why}, false)
	if err != nil {
		rb.m.Log.Error("cannot put a workload back", "kind", e.key.Kind, "namespace", e.key.Namespace, "name", e.key.Name, "error", err)
		e.good = nil // it is no version that can be had
		rb.m.treeFiles().save(e)
		return
	}
	e.trial = nil
	rb.m.rolledBack = true
	rb.m.RecordEvent(now.Wall, e.reference(), corev1.EventTypeWarning, reasonRolledBack, why)
}

// imagesOf are the IDs of the images that the pods of a workload run, by container.
func (rb rollbacks) imagesOf(e *entry) map[string]string {
	ids := map[string]string{}
	for _, p := range rb.m.pods {
		owner := rb.m.entries[controllerOf(p)]
		if owner == nil || rb.m.root(owner) != e || !workload.Active(p) || rb.m.ending[p.UID] || !workload.Ready(p) {
			continue
		}
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for i := range list {
				if id := list[i].ImageID; id != "" {
					ids[list[i].Name] = id
				}
			}
		}
	}
	return ids
}

// RolledBack says, once, that a version was put back: what is wrong with the folder has changed.
func (m *Manager) RolledBack() bool {
	was := m.rolledBack
	m.rolledBack = false
	return was
}

// Problems says which manifests are not what runs, because their version was put back, or cannot follow the one that there is.
func (m *Manager) Problems() (list []manifest.Problem) {
	list = append(list, m.unfollowed...)
	for _, e := range m.sorted() {
		for _, v := range e.overrides {
			if v.Why != "" {
				list = append(list, manifest.Problem{
					File: e.origin.File, Doc: e.origin.Doc, Kind: e.key.Kind, Namespace: e.key.Namespace, Name: e.key.Name,
					Reason: reasonRolledBack, Message: v.Why, Other: true,
				})
			}
		}
	}
	return list
}

// Images are the IDs of the images of all versions that are put back, or can be.
func (m *Manager) Images() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range m.entries {
			if !imagesKept(e.good, e.overrides, yield) {
				return
			}
		}
	}
}

func imagesKept(good *goodVersion, overrides []Override, yield func(string) bool) bool {
	if good != nil {
		for id := range maps.Values(good.Images) {
			if !yield(id) {
				return false
			}
		}
	}
	for _, v := range overrides {
		for id := range maps.Values(v.Pins) {
			if !yield(id) {
				return false
			}
		}
	}
	return true
}

// ReadImages are those of the files of a daemon that does not run. A file that cannot be read puts nothing back.
func ReadImages(rootDir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		files, _ := os.ReadDir(rootDir)
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".json") {
				continue
			}
			var of tree
			_ = peekTree(filepath.Join(rootDir, f.Name()), func(t *tree) error {
				of = *t
				return nil
			})
			if !imagesKept(of.Good, of.Overrides, yield) {
				return
			}
		}
	}
}
