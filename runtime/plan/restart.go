package plan

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// ownPolicy is the container's own restart policy, empty if it follows the pod's.
func ownPolicy(spec *corev1.Container) corev1.RestartPolicy {
	if spec.RestartPolicy == nil {
		return ""
	}
	return corev1.RestartPolicy(*spec.RestartPolicy)
}

// RestartRule is the action of the first rule that an exit code fits, empty if there is none. KEP-5307
func RestartRule(spec *corev1.Container, code int) corev1.ContainerRestartRuleAction {
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

// Restarts applies the restart policy to a container that has ended.
func Restarts(policy corev1.RestartPolicy, c ContainerView) bool {
	if c.Kind == state.KindEphemeral {
		return c.Void
	}
	if c.Void || c.Changed || c.Kind == state.KindSidecar || c.Rule != "" {
		return true
	}
	if c.RestartPolicy != "" {
		policy = c.RestartPolicy
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return c.Failed
	case corev1.RestartPolicyAlways:
	}
	return c.Failed || c.Kind != state.KindInit
}

// WillRestart says whether a container that has ended is going to be started again.
func WillRestart(rec *state.Record, c *state.ContainerRecord) bool {
	spec := rec.Spec(c.Name)
	v := ContainerView{Kind: c.Kind, RestartPolicy: ownPolicy(spec), Changed: c.Changed, Failed: c.HasFailed()}
	if c.Ended != nil {
		v.Rule = RestartRule(spec, c.Ended.Code)
	}
	return Restarts(rec.Object.Spec.RestartPolicy, v)
}
