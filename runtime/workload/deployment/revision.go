package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/workload"
)

// Annotations of ReplicaSets, the first also of Deployments.
const (
	RevisionAnnotation = "deployment.kubernetes.io/revision"
	historyAnnotation  = "deployment.kubernetes.io/revision-history"
	desiredAnnotation  = "deployment.kubernetes.io/desired-replicas"
	maxAnnotation      = "deployment.kubernetes.io/max-replicas"
)

// historyLimit bounds the text of revisions that a ReplicaSet had before, in bytes.
const historyLimit = 2000

// sameTemplate compares templates but for the hash that ReplicaSets have in theirs.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(withoutHash(a), withoutHash(b))
}

func withoutHash(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	c := *t
	c.Labels = maps.Clone(t.Labels)
	delete(c.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return &c
}

// Revision is the number of a ReplicaSet in the history of its Deployment; 0: it has none.
func Revision(rs *appsv1.ReplicaSet) int64 {
	n, err := strconv.ParseInt(rs.Annotations[RevisionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// revise divides the ReplicaSets into that of the present template and the old ones, and numbers the former. It makes it
// if it is missing and create says so.
func (s *step) revise(create bool) (current *appsv1.ReplicaSet, old []*appsv1.ReplicaSet) {
	at := slices.IndexFunc(s.sets, func(rs *appsv1.ReplicaSet) bool {
		return sameTemplate(&rs.Spec.Template, &s.d.Spec.Template)
	})
	var highest int64
	for i, rs := range s.sets {
		if i != at {
			old = append(old, rs)
			highest = max(highest, Revision(rs))
		}
	}
	switch {
	case at >= 0:
		return s.number(at, highest+1), old
	case create:
		return s.create(old, highest+1), old
	}
	return nil, old
}

// number brings the annotations of the ReplicaSet that is current up to date, and the Deployment's.
func (s *step) number(at int, revision int64) *appsv1.ReplicaSet {
	rs := s.sets[at]
	annotations := s.annotate(rs, revision)
	if !maps.Equal(annotations, rs.Annotations) || rs.Spec.MinReadySeconds != s.d.Spec.MinReadySeconds {
		c := *rs
		c.Annotations = annotations
		if c.Spec.MinReadySeconds != s.d.Spec.MinReadySeconds {
			c.Spec.MinReadySeconds = s.d.Spec.MinReadySeconds
			c.Generation++
		}
		rs = &c
		s.sets[at] = rs
		s.write(rs)
	}
	s.setRevision(rs.Annotations[RevisionAnnotation])
	if hasDeadline(s.d) && progressing(&s.d.Status) == nil {
		s.progress(corev1.ConditionTrue, foundNewReplicaSet, fmt.Sprintf("Found new replica set %q", rs.Name))
	}
	return rs
}

func (s *step) setRevision(revision string) {
	if s.d.Annotations[RevisionAnnotation] == revision {
		return
	}
	s.d.Annotations = maps.Clone(s.d.Annotations)
	if s.d.Annotations == nil {
		s.d.Annotations = map[string]string{}
	}
	s.d.Annotations[RevisionAnnotation] = revision
}

// ownAnnotation says of an annotation that it is not copied between a Deployment and its ReplicaSets.
func ownAnnotation(key string) bool {
	switch key {
	case corev1.LastAppliedConfigAnnotation, RevisionAnnotation, historyAnnotation, desiredAnnotation, maxAnnotation,
		appsv1.DeprecatedRollbackTo:
		return true
	}
	return false
}

// annotate is what the annotations of the current ReplicaSet are to be. A ReplicaSet that becomes current again keeps
// the numbers that it had.
func (s *step) annotate(rs *appsv1.ReplicaSet, revision int64) map[string]string {
	to := maps.Clone(rs.Annotations)
	if to == nil {
		to = map[string]string{}
	}
	for k, v := range s.d.Annotations {
		if !ownAnnotation(k) {
			to[k] = v
		}
	}
	before, numbered := rs.Annotations[RevisionAnnotation]
	was := int64(0)
	if before != "" {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return to
		}
		was = n
	}
	if was >= revision {
		return to
	}
	to[RevisionAnnotation] = strconv.FormatInt(revision, 10)
	if numbered {
		to[historyAnnotation] = remember(to[historyAnnotation], before)
	}
	return to
}

// remember adds a revision to a list that stays short.
func remember(history, revision string) string {
	if history == "" {
		return revision
	}
	for len(history)+1+len(revision) > historyLimit {
		_, rest, more := strings.Cut(history, ",")
		if !more {
			return revision
		}
		history = rest
	}
	return history + "," + revision
}

// create makes the ReplicaSet of the present template. It is nil if another one has its name: then the next step tries
// another hash.
func (s *step) create(old []*appsv1.ReplicaSet, revision int64) *appsv1.ReplicaSet {
	template := *s.d.Spec.Template.DeepCopy()
	hash := workload.TemplateHash(&template, s.d.Status.CollisionCount)
	template.Labels = with(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	name := setName(s.d.Name, hash)
	if slices.ContainsFunc(s.in.ReplicaSets, func(rs *appsv1.ReplicaSet) bool {
		return rs.Name == name && rs.Namespace == s.d.Namespace
	}) {
		n := int32(1)
		if s.d.Status.CollisionCount != nil {
			n += *s.d.Status.CollisionCount
		}
		s.d.Status.CollisionCount = &n
		return nil
	}
	selector := metav1.LabelSelector{}
	if s.d.Spec.Selector != nil {
		selector = *s.d.Spec.Selector.DeepCopy()
	}
	selector.MatchLabels = with(selector.MatchLabels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: s.d.Namespace, UID: s.namer.Fixed(name), Generation: 1,
			CreationTimestamp: s.in.Time(),
			OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(s.d, kind)},
			Labels:            maps.Clone(template.Labels),
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), MinReadySeconds: s.d.Spec.MinReadySeconds, Selector: &selector, Template: template,
		},
	}
	*rs.Spec.Replicas = s.newSize(all(old, rs), rs)
	rs.Annotations = s.annotate(rs, revision)
	s.annotateSize(rs.Annotations)
	s.sets = append(s.sets, rs)
	slices.SortFunc(s.sets, byAge)
	s.write(rs)
	if n := *rs.Spec.Replicas; n > 0 {
		s.res.Normal("ScalingReplicaSet", fmt.Sprintf("Scaled up replica set %s from 0 to %d", rs.Name, n))
	}
	s.setRevision(strconv.FormatInt(revision, 10))
	if hasDeadline(s.d) {
		s.progress(corev1.ConditionTrue, newReplicaSetCreated, fmt.Sprintf("Created new replica set %q", rs.Name))
	}
	return rs
}

// setName is the name of a ReplicaSet, which is at most 253 bytes long.
func setName(deployment, hash string) string {
	if most := 253 - 1 - len(hash); len(deployment) > most {
		deployment = deployment[:most]
	}
	return deployment + "-" + hash
}

func with(labels map[string]string, key, value string) map[string]string {
	to := maps.Clone(labels)
	if to == nil {
		to = map[string]string{}
	}
	to[key] = value
	return to
}

// cleanUp removes what is older than the history that is to be kept.
func (s *step) cleanUp(old []*appsv1.ReplicaSet) {
	if s.d.Spec.RevisionHistoryLimit == nil || *s.d.Spec.RevisionHistoryLimit == maxInt32 {
		return
	}
	var alive []*appsv1.ReplicaSet
	for _, rs := range old {
		if rs.DeletionTimestamp == nil {
			alive = append(alive, rs)
		}
	}
	over := len(alive) - int(*s.d.Spec.RevisionHistoryLimit)
	if over <= 0 {
		return
	}
	slices.SortFunc(alive, byRevision)
	for _, rs := range alive[:over] {
		if rs.Status.Replicas == 0 && replicas(rs.Spec.Replicas) == 0 && rs.Generation <= rs.Status.ObservedGeneration {
			s.res.Remove = append(s.res.Remove, rs)
		}
	}
}

func byRevision(a, b *appsv1.ReplicaSet) int {
	if x, y := Revision(a), Revision(b); x != y {
		return int(min(max(x-y, -1), 1))
	}
	return byAge(a, b)
}
