package daemonset

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/node"
)

// fitness says what a DaemonSet has to do with a board.
type fitness struct {
	run  bool // a pod is to be made there
	stay bool // one that is there stays
}

// fits follows kubernetes pkg/controller/daemon, NodeShouldRunDaemonPod.
func fits(d *appsv1.DaemonSet, board *corev1.Node) fitness {
	spec := &d.Spec.Template.Spec
	if spec.NodeName != "" && spec.NodeName != board.Name || !node.Fits(spec, board.Name, board.Labels) {
		return fitness{}
	}
	f := fitness{run: true, stay: true}
	tolerated := tolerations(spec)
	for i := range board.Spec.Taints {
		t := &board.Spec.Taints[i]
		switch {
		case t.Effect == corev1.TaintEffectPreferNoSchedule || slices.ContainsFunc(tolerated, func(o corev1.Toleration) bool { return tolerates(&o, t) }):
		case t.Effect == corev1.TaintEffectNoExecute:
			return fitness{}
		default:
			f.run = false
		}
	}
	return f
}

// tolerates says whether a toleration is about a taint. https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
func tolerates(o *corev1.Toleration, t *corev1.Taint) bool {
	if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
		return false
	}
	switch o.Operator {
	case corev1.TolerationOpExists:
		return true
	case corev1.TolerationOpEqual, "":
		return o.Value == t.Value
	}
	return false
}

// tolerations are those of the pods: a DaemonSet's pods do not mind what is wrong with their board.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
func tolerations(spec *corev1.PodSpec) []corev1.Toleration {
	list := slices.Clone(spec.Tolerations)
	add := func(key string, effect corev1.TaintEffect) {
		o := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
		if i := slices.IndexFunc(list, func(have corev1.Toleration) bool { return have.MatchToleration(&o) }); i >= 0 {
			list[i] = o
			return
		}
		list = append(list, o)
	}
	add(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)
	for _, key := range []string{corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable} {
		add(key, corev1.TaintEffectNoSchedule)
	}
	if spec.HostNetwork {
		add(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule)
	}
	return list
}

// bind lets a pod run on one board only. The affinity of the template has been looked at already. The pod is the caller's.
func bind(spec *corev1.PodSpec, board string) {
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{board}}},
		}},
	}
}
