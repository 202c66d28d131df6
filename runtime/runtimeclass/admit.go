// Package runtimeclass says what a RuntimeClass means for its pods: what the API server's admission makes of a new pod, and
// which of the node's runtime handlers a pod is run by.
//
// https://kubernetes.io/docs/concepts/containers/runtime-class/
package runtimeclass

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// The API server's sentences about a pod whose overhead is not its class's. kubernetes plugin/pkg/admission/runtimeclass
var (
	errOtherOverhead = errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
	errOwnOverhead   = errors.New("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
)

// Admit gives a new pod the overhead, the node selector and the tolerations of its class; class is nil if there is none of
// that name. The pod that it returns is the one that it was given if nothing changes, which is never changed itself. The
// errors are the API server's.
func Admit(pod *corev1.Pod, class *nodev1.RuntimeClass) (*corev1.Pod, error) {
	name := pod.Spec.RuntimeClassName
	switch {
	case name == nil && pod.Spec.Overhead != nil:
		return nil, errOwnOverhead
	case name == nil:
		return pod, nil
	case class == nil:
		return nil, fmt.Errorf("pod rejected: RuntimeClass %q not found", *name)
	case class.Overhead == nil && pod.Spec.Overhead != nil:
		return nil, errOwnOverhead
	case class.Overhead != nil && len(pod.Spec.Overhead) > 0 && !equality.Semantic.DeepEqual(class.Overhead.PodFixed, pod.Spec.Overhead):
		return nil, errOtherOverhead
	}
	out := *pod
	if class.Overhead != nil {
		out.Spec.Overhead = class.Overhead.PodFixed
	}
	if s := class.Scheduling; s != nil {
		for _, key := range slices.Sorted(maps.Keys(s.NodeSelector)) {
			value := s.NodeSelector[key]
			if have, ok := pod.Spec.NodeSelector[key]; ok && have != value {
				return nil, fmt.Errorf("conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", key, value, key, have)
			}
		}
		if len(s.NodeSelector) > 0 {
			out.Spec.NodeSelector = maps.Clone(s.NodeSelector)
			maps.Copy(out.Spec.NodeSelector, pod.Spec.NodeSelector)
		}
		out.Spec.Tolerations = mergeTolerations(pod.Spec.Tolerations, s.Tolerations)
	}
	return &out, nil
}

// mergeTolerations are those of both lists, without what another of them covers. Of two that are the same the first stays.
func mergeTolerations(first, second []corev1.Toleration) []corev1.Toleration {
	all := slices.Concat(first, second)
	var merged []corev1.Toleration
	for i, t := range all {
		covers := func(o corev1.Toleration) bool { return covered(t, o) }
		later := func(o corev1.Toleration) bool { return !equality.Semantic.DeepEqual(t, o) && covered(t, o) }
		if !slices.ContainsFunc(merged, covers) && !slices.ContainsFunc(all[i+1:], later) {
			merged = append(merged, t)
		}
	}
	return merged
}

// covered says that a toleration is of no taint of which another is not. kubernetes pkg/util/tolerations
func covered(t, by corev1.Toleration) bool {
	exists := by.Operator == corev1.TolerationOpExists
	switch {
	case equality.Semantic.DeepEqual(t, by):
		return true
	case t.Key != by.Key && (by.Key != "" || !exists), t.Effect != by.Effect && by.Effect != "":
		return false
	case by.Effect == corev1.TaintEffectNoExecute && by.TolerationSeconds != nil && (t.TolerationSeconds == nil || *t.TolerationSeconds > *by.TolerationSeconds):
		return false
	case exists:
		return true
	}
	return (by.Operator == corev1.TolerationOpEqual || by.Operator == "") && t.Operator == corev1.TolerationOpEqual && t.Value == by.Value
}
