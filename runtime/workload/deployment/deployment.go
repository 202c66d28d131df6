// Package deployment brings the ReplicaSets of a Deployment from one revision of its template to the next.
package deployment

import (
	"cmp"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
)

var kind = appsv1.SchemeGroupVersion.WithKind("Deployment")

// step is one look at a Deployment.
type step struct {
	d     *appsv1.Deployment // a copy, with what has changed so far
	in    *workload.Input
	res   workload.Result
	namer *workload.Namer
	sets  []*appsv1.ReplicaSet // its own, the oldest first
	pods  map[types.UID]pods   // of each ReplicaSet
}

// pods are what a ReplicaSet has.
type pods struct{ active, available, left int32 } // left: those that have not ended

// Compute is one step of a Deployment. It wants the ReplicaSets of its namespace and their pods.
//
// kube-controller-manager looks at the statuses of ReplicaSets alone, which may be older than what it decided last: then
// there are more pods for a moment than maxSurge allows. Here the pods themselves are counted too.
func Compute(d *appsv1.Deployment, in workload.Input) workload.Result {
	mine := *d
	s := &step{d: &mine, in: &in, namer: workload.NewNamer(d.UID, &in)}
	s.claim()
	s.countPods()
	s.sync()
	s.res.Sequence = s.namer.Sequence()
	if !equality.Semantic.DeepEqual(mine.Status, d.Status) || !maps.Equal(mine.Annotations, d.Annotations) ||
		mine.Generation != d.Generation {
		s.res.Object = &mine
	}
	return s.res
}

// claim finds the ReplicaSets that are the Deployment's.
func (s *step) claim() {
	selector := workload.Selector(s.d.Spec.Selector)
	ref := *metav1.NewControllerRef(s.d, kind)
	for _, rs := range s.in.ReplicaSets {
		v := workload.Judge(s.d, rs, selector.Matches(labels.Set(rs.Labels)))
		if v == workload.Ignore {
			continue
		}
		if refs, changed := workload.Own(rs.OwnerReferences, v, ref); changed {
			c := *rs
			c.OwnerReferences = refs
			rs = &c
			s.write(rs)
		}
		if v != workload.Release {
			s.sets = append(s.sets, rs)
		}
	}
	slices.SortFunc(s.sets, byAge)
}

func byAge(a, b *appsv1.ReplicaSet) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

func (s *step) sync() {
	if s.d.DeletionTimestamp != nil {
		current, old := s.revise(false)
		s.countStatus(all(old, current), current)
		return
	}
	s.notePause()
	if s.d.Spec.Paused {
		s.scaleOnly()
		return
	}
	if revision, asked := rollbackTo(s.d); asked {
		s.rollback(revision)
		return
	}
	if s.isScaled() {
		s.scaleOnly()
		return
	}
	if s.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		s.recreate()
	} else {
		s.roll()
	}
}

// scaleOnly changes sizes without going on with a rollout.
func (s *step) scaleOnly() {
	current, old := s.revise(false)
	s.scale(current, old)
	if _, asked := rollbackTo(s.d); s.d.Spec.Paused && !asked {
		s.cleanUp(old)
	}
	s.countStatus(all(old, current), current)
}

// isScaled says whether the Deployment has another size than its ReplicaSets think.
func (s *step) isScaled() bool {
	current, old := s.revise(false)
	for _, rs := range active(all(old, current)) {
		if desired, ok := numberIn(rs, desiredAnnotation); ok && desired != replicas(s.d.Spec.Replicas) {
			return true
		}
	}
	return false
}

// write notes a ReplicaSet to be written, as it is last.
func (s *step) write(rs *appsv1.ReplicaSet) {
	for i, o := range s.res.Write {
		if o.GetUID() == rs.UID {
			s.res.Write[i] = rs
			return
		}
	}
	s.res.Write = append(s.res.Write, rs)
}

func (s *step) countPods() {
	minReady := make(map[types.UID]int32, len(s.sets))
	for _, rs := range s.sets {
		minReady[rs.UID] = rs.Spec.MinReadySeconds
	}
	s.pods = make(map[types.UID]pods, len(s.sets))
	for _, p := range s.in.Pods {
		ref := metav1.GetControllerOfNoCopy(p)
		if ref == nil {
			continue
		}
		seconds, ours := minReady[ref.UID]
		if !ours {
			continue
		}
		n := s.pods[ref.UID]
		if !workload.Terminal(p) {
			n.left++
		}
		if workload.Active(p) {
			n.active++
			if workload.Available(p, seconds, s.in.Now) {
				n.available++
			}
		}
		s.pods[ref.UID] = n
	}
}

// hasPods says whether pods of ReplicaSets other than the current one may still run.
func (s *step) hasPods(old []*appsv1.ReplicaSet) bool {
	return slices.ContainsFunc(old, func(rs *appsv1.ReplicaSet) bool {
		return rs.Status.Replicas > 0 || s.pods[rs.UID].left > 0
	})
}

// occupied is how many pods the ReplicaSets should have together, or have if that is more.
func (s *step) occupied(list []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range list {
		n += max(replicas(rs.Spec.Replicas), s.pods[rs.UID].active)
	}
	return n
}

// serving is how many pods of a ReplicaSet are available, by its status and in fact.
func (s *step) serving(rs *appsv1.ReplicaSet) int32 {
	return min(rs.Status.AvailableReplicas, s.pods[rs.UID].available)
}

// all is the list in the order in which sizes are looked at; current may be nil.
func all(old []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	list := slices.Clone(old)
	if current != nil {
		list = append(list, current)
	}
	return list
}

// active are those that have pods, or should have.
func active(list []*appsv1.ReplicaSet) (some []*appsv1.ReplicaSet) {
	for _, rs := range list {
		if replicas(rs.Spec.Replicas) > 0 {
			some = append(some, rs)
		}
	}
	return some
}

// size is how many pods the ReplicaSets should have together.
func size(list []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range list {
		n += replicas(rs.Spec.Replicas)
	}
	return n
}

func available(list []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range list {
		n += rs.Status.AvailableReplicas
	}
	return n
}

// replicas is the API server's default where nobody says a number.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}
