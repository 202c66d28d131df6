package deployment

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
)

// roll lets the new revision grow, then the old ones shrink, as far as the fences allow.
func (s *step) roll() {
	current, old := s.revise(true)
	if current == nil {
		return
	}
	list := all(old, current)
	if s.grow(list, current) || s.shrink(list, active(old), current) {
		s.rolloutStatus(list, current)
		return
	}
	if isComplete(s.d, &s.d.Status) {
		s.cleanUp(old)
	}
	s.rolloutStatus(list, current)
}

// recreate ends all pods of the old revisions before there is one of the new.
func (s *step) recreate() {
	current, old := s.revise(false)
	list := all(old, current)
	resized := false
	for _, rs := range active(old) {
		_, did := s.resize(rs, 0, false)
		resized = resized || did
	}
	if resized || s.hasPods(old) {
		s.rolloutStatus(list, current)
		return
	}
	if current == nil {
		if current, old = s.revise(true); current == nil {
			return
		}
		list = all(old, current)
	}
	s.resize(current, replicas(s.d.Spec.Replicas), false)
	if isComplete(s.d, &s.d.Status) {
		s.cleanUp(old)
	}
	s.rolloutStatus(list, current)
}

func (s *step) grow(list []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) bool {
	has, want := replicas(current.Spec.Replicas), replicas(s.d.Spec.Replicas)
	to := want
	if has < want {
		to = s.newSize(list, current)
	}
	_, resized := s.resize(current, to, false)
	return resized
}

// shrink takes pods from the old revisions: first those that do not serve anyhow, then as many as serve beyond the lower
// fence. Pods of the new revision that do not serve yet are counted, so that a revision that never does stops here.
func (s *step) shrink(list, old []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) bool {
	if size(old) == 0 {
		return false
	}
	want := replicas(s.d.Spec.Replicas)
	_, unavailable := fences(s.d)
	least := want - unavailable
	missing := replicas(current.Spec.Replicas) - s.serving(current)
	room := size(list) - least - missing
	if room <= 0 {
		return false
	}
	old = slices.Clone(old)
	slices.SortFunc(old, byAge)
	resized := false
	for i, rs := range old {
		has := replicas(rs.Spec.Replicas)
		if room <= 0 {
			break
		}
		idle := has - s.serving(rs)
		if has == 0 || idle == 0 && rs.Status.AvailableReplicas <= has {
			continue
		}
		if rs.Status.AvailableReplicas > has || idle < 0 {
			// It was made smaller just now and does not know yet, or has not ended the others.
			return resized
		}
		n := min(room, idle)
		old[i], _ = s.resize(rs, has-n, false)
		room -= n
		resized = true
	}
	spare := -least
	for _, rs := range all(old, current) {
		spare += s.serving(rs)
	}
	for _, rs := range old {
		has := replicas(rs.Spec.Replicas)
		if spare <= 0 {
			break
		}
		if has == 0 {
			continue
		}
		n := min(has, spare)
		s.resize(rs, has-n, false)
		spare -= n
		resized = true
	}
	return resized
}
