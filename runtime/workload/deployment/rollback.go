package deployment

import (
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
)

// rollbackTo is the revision that somebody asked for by the annotation that stands for the field of extensions/v1beta1;
// 0: the last one.
func rollbackTo(d *appsv1.Deployment) (int64, bool) {
	n, err := strconv.ParseInt(d.Annotations[appsv1.DeprecatedRollbackTo], 10, 64)
	return n, err == nil
}

// rollback puts the template of an earlier revision back, with its annotations, and takes the request away.
func (s *step) rollback(revision int64) {
	current, old := s.revise(true)
	list := all(old, current)
	annotations := maps.Clone(s.d.Annotations)
	delete(annotations, appsv1.DeprecatedRollbackTo)
	s.d.Annotations = annotations
	if revision == 0 {
		if revision = lastRevision(list); revision == 0 {
			s.res.Warning("DeploymentRollbackRevisionNotFound", "Unable to find last revision.")
			return
		}
	}
	for _, rs := range list {
		if Revision(rs) != revision {
			continue
		}
		if sameTemplate(&s.d.Spec.Template, &rs.Spec.Template) {
			s.res.Warning("DeploymentRollbackTemplateUnchanged",
				fmt.Sprintf("The rollback revision contains the same template as current deployment %q", s.d.Name))
			return
		}
		s.d.Spec.Template = *withoutHash(&rs.Spec.Template)
		s.d.Generation++
		for k := range annotations {
			if !ownAnnotation(k) {
				delete(annotations, k)
			}
		}
		for k, v := range rs.Annotations {
			if !ownAnnotation(k) {
				annotations[k] = v
			}
		}
		s.res.Normal("DeploymentRollback", fmt.Sprintf("Rolled back deployment %q to revision %d", s.d.Name, revision))
		return
	}
	s.res.Warning("DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to.")
}

// lastRevision is the second highest.
func lastRevision(list []*appsv1.ReplicaSet) int64 {
	var highest, second int64
	for _, rs := range list {
		switch n := Revision(rs); {
		case n >= highest:
			highest, second = n, highest
		case n > second:
			second = n
		}
	}
	return second
}
