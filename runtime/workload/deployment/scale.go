package deployment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// fences are how many pods a rolling update may have beyond the wanted number, and how many of these may be missing. If
// both came to nothing no pod could be replaced: then one may be missing.
func fences(d *appsv1.Deployment) (surge, unavailable int32) {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return 0, 0
	}
	want := replicas(d.Spec.Replicas)
	if u := d.Spec.Strategy.RollingUpdate; u != nil {
		surge, unavailable = scaled(u.MaxSurge, want, true), scaled(u.MaxUnavailable, want, false)
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, want)
}

// scaled is a number or a part of n. What is neither was refused when the manifest was read, and is 0 here.
func scaled(v *intstr.IntOrString, n int32, up bool) int32 {
	if v == nil {
		return 0
	}
	got, err := intstr.GetScaledValueFromIntOrPercent(v, int(n), up)
	if err != nil {
		return 0
	}
	return int32(got)
}

// newSize is the size of the current ReplicaSet that leaves the Deployment below its upper fence.
func (s *step) newSize(list []*appsv1.ReplicaSet, rs *appsv1.ReplicaSet) int32 {
	want := replicas(s.d.Spec.Replicas)
	if s.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return want
	}
	surge, _ := fences(s.d)
	has := replicas(rs.Spec.Replicas)
	room := want + surge - s.occupied(list)
	if room <= 0 {
		return has
	}
	return has + min(room, want-has)
}

// annotateSize notes of which Deployment's size a ReplicaSet's size is a part.
func (s *step) annotateSize(annotations map[string]string) {
	want := replicas(s.d.Spec.Replicas)
	surge, _ := fences(s.d)
	annotations[desiredAnnotation] = strconv.Itoa(int(want))
	annotations[maxAnnotation] = strconv.Itoa(int(want + surge))
}

// numberIn is a number that an annotation has.
func numberIn(rs *appsv1.ReplicaSet, annotation string) (int32, bool) {
	n, err := strconv.ParseUint(rs.Annotations[annotation], 10, 31)
	return int32(n), err == nil
}

// resize writes a ReplicaSet with another size. Unless force says so it is left alone if it has the size already, even
// if its annotations are old.
func (s *step) resize(rs *appsv1.ReplicaSet, to int32, force bool) (now *appsv1.ReplicaSet, resized bool) {
	from := replicas(rs.Spec.Replicas)
	if from == to && !force {
		return rs, false
	}
	annotations := maps.Clone(rs.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	s.annotateSize(annotations)
	if from == to && maps.Equal(annotations, rs.Annotations) {
		return rs, false
	}
	c := *rs
	c.Annotations = annotations
	if from != to {
		c.Spec.Replicas = &to
		c.Generation++
		way := "up"
		if to < from {
			way = "down"
		}
		s.res.Normal("ScalingReplicaSet", fmt.Sprintf("Scaled %s replica set %s from %d to %d", way, rs.Name, from, to))
	}
	s.write(&c)
	return &c, from != to
}

// scale gives the ReplicaSets their parts of another size of the Deployment.
func (s *step) scale(current *appsv1.ReplicaSet, old []*appsv1.ReplicaSet) {
	want := replicas(s.d.Spec.Replicas)
	list := active(all(old, current))
	switch {
	case current == nil && len(old) == 0:
		return
	case len(list) == 0:
		latest := current
		if latest == nil {
			latest = slices.MaxFunc(old, byAge)
		}
		s.resize(latest, want, false)
		return
	case len(list) == 1:
		s.resize(list[0], want, false)
		return
	}
	if s.isSaturated(current) {
		for _, rs := range active(old) {
			s.resize(rs, 0, false)
		}
		return
	}
	if s.d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		s.scaleInProportion(list)
	}
}

// isSaturated says whether the current ReplicaSet has all pods of the Deployment, and serves.
func (s *step) isSaturated(rs *appsv1.ReplicaSet) bool {
	if rs == nil {
		return false
	}
	want := replicas(s.d.Spec.Replicas)
	desired, ok := numberIn(rs, desiredAnnotation)
	return ok && desired == want && replicas(rs.Spec.Replicas) == want && rs.Status.AvailableReplicas == want
}

// scaleInProportion divides what is to be added or taken away in the middle of a rollout, the largest ReplicaSet first;
// it also gets what is left over by rounding.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
func (s *step) scaleInProportion(list []*appsv1.ReplicaSet) {
	want := replicas(s.d.Spec.Replicas)
	surge, _ := fences(s.d)
	allowed := int32(0)
	if want > 0 {
		allowed = want + surge
	}
	add := allowed - size(list)
	slices.SortFunc(list, func(a, b *appsv1.ReplicaSet) int {
		age := byAge(a, b)
		if add > 0 {
			age = -age
		}
		return cmp.Or(cmp.Compare(replicas(b.Spec.Replicas), replicas(a.Spec.Replicas)), age)
	})
	sizes := make([]int32, len(list))
	added := int32(0)
	for i, rs := range list {
		part := int32(0)
		if add != added {
			part = s.part(rs)
			if add > 0 {
				part = min(part, add-added)
			} else {
				part = max(part, add-added)
			}
		}
		sizes[i] = replicas(rs.Spec.Replicas) + part
		added += part
	}
	sizes[0] = max(sizes[0]+add-added, 0)
	for i, rs := range list {
		s.resize(rs, sizes[i], true)
	}
}

// part is by how much a ReplicaSet grows or shrinks if it is to be the same part of the Deployment as before.
func (s *step) part(rs *appsv1.ReplicaSet) int32 {
	has, want := replicas(rs.Spec.Replicas), replicas(s.d.Spec.Replicas)
	if want == 0 {
		return -has
	}
	surge, _ := fences(s.d)
	before, ok := numberIn(rs, maxAnnotation)
	if !ok || before == 0 {
		if before = s.d.Status.Replicas; before == 0 {
			return 0
		}
	}
	size := float64(has) * float64(want+surge) / float64(before)
	return int32(size+0.5) - has
}
