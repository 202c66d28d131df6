package sandbox

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/resources"
	"podd/runtime/state"
)

// The kubelet's scores: what it protects, what goes first, and between them the more a container has asked
// for, the later it goes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
const (
	guaranteedScore = -997
	bestEffortScore = 1000
	scoreRange      = 1000
)

// OOMScoreAdj is the container's oom_score_adj on a board with capacity bytes of memory.
func OOMScoreAdj(p *corev1.Pod, c *corev1.Container, capacity int64) int {
	switch resources.QOSClass(&p.Spec) {
	case corev1.PodQOSGuaranteed:
		return guaranteedScore
	case corev1.PodQOSBestEffort:
		return bestEffortScore
	case corev1.PodQOSBurstable:
	}
	if capacity <= 0 {
		return bestEffortScore - 1
	}
	score := scoreFor(c.Resources.Requests.Memory().Value(), capacity)
	if state.KindOf(c) == state.KindSidecar {
		// A sidecar outlives the main containers that it serves. KEP-753
		least := p.Spec.Containers[0].Resources.Requests.Memory().Value()
		for i := range p.Spec.Containers {
			least = min(least, p.Spec.Containers[i].Resources.Requests.Memory().Value())
		}
		score = min(score, scoreFor(least, capacity))
	}
	// A burstable container stays between the two others, whatever it asks for.
	return min(max(score, scoreRange+guaranteedScore), bestEffortScore-1)
}

func scoreFor(request, capacity int64) int { return scoreRange - int(scoreRange*request/capacity) }
