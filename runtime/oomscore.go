package runtime

import (
	corev1 "k8s.io/api/core/v1"
)

// The kubelet's scores: what it protects, what goes first, and between them the more a container has asked
// for, the later it goes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
const (
	guaranteedScore = -997
	bestEffortScore = 1000
	scoreRange      = 1000
)

// oomScoreAdj is the container's oom_score_adj on a board with capacity bytes of memory.
func oomScoreAdj(p *corev1.Pod, c *corev1.Container, capacity int64) int {
	switch qosClass(&p.Spec) {
	case corev1.PodQOSGuaranteed:
		return guaranteedScore
	case corev1.PodQOSBestEffort:
		return bestEffortScore
	case corev1.PodQOSBurstable:
	}
	request := c.Resources.Requests.Memory().Value()
	if capacity <= 0 {
		return bestEffortScore - 1
	}
	score := scoreRange - int(scoreRange*request/capacity)
	// A burstable container stays between the two others, whatever it asks for.
	return min(max(score, scoreRange+guaranteedScore), bestEffortScore-1)
}
