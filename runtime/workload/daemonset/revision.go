package daemonset

import (
	"bytes"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"podd/runtime/workload"
)

// revise finds the revision that keeps the present template, or makes it.
func (s *step) revise() {
	data := workload.TemplatePatch(&s.d.Spec.Template)
	var present *appsv1.ControllerRevision
	for _, r := range s.claimRevisions() {
		switch {
		case !bytes.Equal(r.Data.Raw, data) && !workload.KeepsTemplate(r, &s.d.Spec.Template):
			s.revisions = append(s.revisions, r)
		case present == nil || r.Revision >= present.Revision:
			present = r
		}
	}
	slices.SortStableFunc(s.revisions, workload.ByRevision)
	number := int64(1)
	if n := len(s.revisions); n > 0 {
		number = s.revisions[n-1].Revision + 1
	}
	switch {
	case present == nil:
		present = s.snapshot(data, number)
		s.res.Write = append(s.res.Write, present)
	case present.Revision < number:
		c := *present
		c.Revision = number
		s.write(&c)
	}
	s.hash = present.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
}

func (s *step) claimRevisions() (list []*appsv1.ControllerRevision) {
	ref, selector := *metav1.NewControllerRef(s.d, kind), workload.Selector(s.d.Spec.Selector)
	for _, r := range s.in.Revisions {
		v := workload.Judge(s.d, r, selector.Matches(labels.Set(r.Labels)))
		if v != workload.Keep && v != workload.Adopt {
			continue
		}
		refs, changed := workload.Own(r.OwnerReferences, v, ref)
		if changed || r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == "" {
			c := *r
			c.OwnerReferences = refs
			if c.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == "" {
				c.Labels = maps.Clone(c.Labels)
				c.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = c.Name
			}
			r = &c
			s.write(r)
		}
		list = append(list, r)
	}
	return list
}

func (s *step) write(r *appsv1.ControllerRevision) {
	for i, w := range s.res.Write {
		if w.GetUID() == r.UID {
			s.res.Write[i] = r
			return
		}
	}
	s.res.Write = append(s.res.Write, r)
}

// snapshot is a new revision, under a name that no other has.
func (s *step) snapshot(data []byte, number int64) *appsv1.ControllerRevision {
	hash := ""
	for {
		hash = workload.TemplateHash(&s.d.Spec.Template, s.collisions)
		if !slices.ContainsFunc(s.in.Revisions, func(r *appsv1.ControllerRevision) bool {
			return r.Namespace == s.d.Namespace && r.Name == s.d.Name+"-"+hash
		}) {
			break
		}
		n := int32(1)
		if s.collisions != nil {
			n += *s.collisions
		}
		s.collisions = &n
	}
	own := maps.Clone(s.d.Spec.Template.Labels)
	if own == nil {
		own = map[string]string{}
	}
	own[appsv1.DefaultDaemonSetUniqueLabelKey] = hash
	name := s.d.Name + "-" + hash
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: s.d.Namespace, UID: s.namer.Fixed(name), Labels: own, Annotations: maps.Clone(s.d.Annotations),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s.d, kind)}, CreationTimestamp: s.in.Time(),
		},
		Data: runtime.RawExtension{Raw: data}, Revision: number,
	}
}

// truncate removes the oldest revisions that no pod is of.
func (s *step) truncate() {
	limit := 10
	if n := s.d.Spec.RevisionHistoryLimit; n != nil {
		limit = max(int(*n), 0)
	}
	live := map[string]bool{}
	for _, p := range s.all {
		live[p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]] = true
	}
	surplus := len(s.revisions) - limit
	for _, r := range s.revisions {
		if surplus <= 0 {
			return
		}
		if hash := r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]; hash == "" || !live[hash] {
			s.res.Remove = append(s.res.Remove, r)
			surplus--
		}
	}
}
