package statefulset

import (
	"bytes"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"podd/runtime/workload"
)

// revise finds the revision that the set has, by the name in its status, and the one that it is to have, which is made
// if its template is new.
func (s *step) revise() {
	s.claimRevisions()
	if s.s.Status.CollisionCount != nil {
		s.collisions = *s.s.Status.CollisionCount
	}
	number := int64(1)
	if n := len(s.revisions); n > 0 {
		number = s.revisions[n-1].Revision + 1
	}
	next := workload.NewRevision(s.s, kind, &s.s.Spec.Template, number, &s.collisions, s.in)
	s.current = revision{template: &s.s.Spec.Template}
	s.update = s.current
	s.update.name = s.keep(next)
	for _, r := range s.revisions {
		if r.Name != s.s.Status.CurrentRevision {
			continue
		}
		if t, ok := workload.RevisionTemplate(r); ok {
			s.current = revision{r.Name, t}
		}
	}
	if s.current.name == "" {
		s.current = s.update
	}
}

func (s *step) claimRevisions() {
	ref := *metav1.NewControllerRef(s.s, kind)
	for _, r := range s.in.Revisions {
		if !s.labels.Matches(labels.Set(r.Labels)) {
			continue
		}
		v := workload.Judge(s.s, r, true)
		if v != workload.Keep && v != workload.Adopt {
			continue
		}
		if refs, changed := workload.Own(r.OwnerReferences, v, ref); changed {
			c := *r
			c.OwnerReferences = refs
			r = &c
			s.write(r)
		}
		s.revisions = append(s.revisions, r)
	}
	slices.SortStableFunc(s.revisions, workload.ByRevision)
}

func (s *step) write(o workload.Object) {
	for i, w := range s.res.Write {
		if w.GetUID() == o.GetUID() {
			s.res.Write[i] = o
			return
		}
	}
	s.res.Write = append(s.res.Write, o)
}

// keep answers the name under which the present template is kept: that of the latest revision, or of an earlier one,
// which becomes the latest, or of a new one.
func (s *step) keep(next *appsv1.ControllerRevision) string {
	n := len(s.revisions)
	for i, r := range slices.Backward(s.revisions) {
		if !bytes.Equal(r.Data.Raw, next.Data.Raw) {
			continue
		}
		if i < n-1 && !bytes.Equal(r.Data.Raw, s.revisions[n-1].Data.Raw) {
			c := *r
			c.Revision = next.Revision
			s.write(&c)
		}
		return r.Name
	}
	if n > 0 && workload.KeepsTemplate(s.revisions[n-1], &s.s.Spec.Template) {
		return s.revisions[n-1].Name
	}
	for {
		taken := slices.IndexFunc(s.in.Revisions, func(r *appsv1.ControllerRevision) bool {
			return r.Name == next.Name && r.Namespace == next.Namespace
		})
		if taken < 0 {
			break
		}
		if bytes.Equal(s.in.Revisions[taken].Data.Raw, next.Data.Raw) {
			return next.Name
		}
		s.collisions++
		next.Name = workload.RevisionName(s.s.Name, workload.RevisionHash(next.Data.Raw, &s.collisions))
	}
	next.UID = s.namer.Fixed(next.Name)
	s.write(next)
	return next.Name
}

// truncate removes the oldest revisions that nobody has any more.
func (s *step) truncate() {
	live := map[string]bool{s.current.name: true, s.update.name: true}
	for _, p := range s.pods {
		live[podRevision(p)] = true
	}
	var old []*appsv1.ControllerRevision
	for _, r := range s.revisions {
		if !live[r.Name] {
			old = append(old, r)
		}
	}
	limit := 10
	if s.s.Spec.RevisionHistoryLimit != nil {
		limit = int(*s.s.Spec.RevisionHistoryLimit)
	}
	for _, r := range old[:max(len(old)-max(limit, 0), 0)] {
		s.res.Remove = append(s.res.Remove, r)
	}
}
