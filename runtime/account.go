package runtime

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
)

// withAccount gives a pod that does not say whether it wants a token what its ServiceAccount says. As in Kubernetes this is
// settled when the pod comes to be: a later change of the ServiceAccount leaves it alone.
func (r *Runtime) withAccount(m *manifest.Pod) *manifest.Pod {
	if m.Object.Spec.AutomountServiceAccountToken != nil {
		return m
	}
	var wanted bool
	if p := r.current(m); p != nil && p.rec.Object.Spec.AutomountServiceAccountToken == nil {
		wanted = manifest.MountsToken(p.rec.Object)
	} else if account := r.account(m.Object); account != nil && account.AutomountServiceAccountToken != nil {
		wanted = *account.AutomountServiceAccountToken
	} else {
		return m
	}
	out := *m
	out.Object = manifest.WithToken(m.Object, wanted)
	return &out
}

// account is the ServiceAccount of a pod if the folder has it, or nil.
func (r *Runtime) account(pod *corev1.Pod) *corev1.ServiceAccount {
	o := r.objects.Get("ServiceAccount", pod.Namespace, cmp.Or(pod.Spec.ServiceAccountName, "default"))
	if o == nil {
		return nil
	}
	account, _ := o.Value.(*corev1.ServiceAccount)
	return account
}
