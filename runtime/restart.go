package runtime

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ownPolicy is the container's own restart policy, empty if it follows the pod's.
func ownPolicy(spec *corev1.Container) corev1.RestartPolicy {
	if spec.RestartPolicy == nil {
		return ""
	}
	return corev1.RestartPolicy(*spec.RestartPolicy)
}

// restartRule is the action of the first rule that an exit code fits, empty if there is none. KEP-5307
func restartRule(spec *corev1.Container, code int) corev1.ContainerRestartRuleAction {
	for _, rule := range spec.RestartPolicyRules {
		if on := rule.ExitCodes; on != nil {
			in := slices.Contains(on.Values, int32(code))
			if in == (on.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
				return rule.Action
			}
		}
	}
	return ""
}
