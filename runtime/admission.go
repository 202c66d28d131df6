package runtime

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/device/cdi"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/manifest/sysctl"
	"podd/runtime/manifest/update"
	"podd/runtime/objects"
	"podd/runtime/podsecurity"
	"podd/runtime/runtimeclass"
	"podd/runtime/state"
	"podd/runtime/status"
)

// admission says which pods this node takes.
type admission struct{ r *Runtime }

// admitPod fails a pod that this node does not take, as a kubelet does, before anything is made for it. One that runs stays,
// whatever the settings say now. A pod that was not taken and would be now begins anew.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#enabling-unsafe-sysctls
func (ad admission) admitPod(p *lifecycle.Pod, now state.Instant) {
	f := p.Record.Finish
	rejected := p.Record.State == state.PodFinished && f != nil && status.Rejected(f.Reason)
	if !rejected && (p.Record.State != state.PodWaiting || p.Record.Ending() != nil || p.Unfit != "" || !ad.r.wanted(p) || ad.r.blocked(p)) {
		return
	}
	reason, why := ad.forbidden(p.Record.Object)
	switch {
	case rejected:
		p.Deleted = p.Deleted || why == "" && p.Record.Kept
	case why != "":
		p.Record.Finish = &state.FinishRecord{Failed: true, Reason: reason, Message: "Pod was rejected: " + why}
		ad.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, reason, why)
		ad.r.save(p)
	}
}

// forbidden says what of a pod this machine or its settings forbid, "" if nothing.
func (ad admission) forbidden(pod *corev1.Pod) (reason, why string) {
	if why := sysctl.Forbidden(&pod.Spec, ad.r.Settings.AllowedUnsafeSysctls); why != "" {
		return status.ReasonSysctlForbidden, why
	}
	if ad.r.Settings.DenyCDIAnnotations && len(cdi.Annotated(pod.Annotations)) > 0 {
		return status.ReasonCDIAnnotation, "forbidden annotation: pods of this node get CDI devices by resources and runtime classes alone (cdiAnnotations: false)"
	}
	if why := ad.r.engine.Modules.ForbidsAppArmor(pod); why != "" {
		return status.ReasonAppArmor, why
	}
	if ad.r.Settings.RefuseUnlabelled {
		return status.ReasonSELinux, ad.r.engine.Modules.ForbidsSELinux(pod)
	}
	return "", ""
}

// checkSecurity says what the Pod Security Standards have against a pod.
func (ad admission) checkSecurity(pod *corev1.Pod) podsecurity.Verdict {
	var labels map[string]string
	if n := ad.r.objects.Get("Namespace", "", pod.Namespace); n != nil {
		labels = n.Value.GetLabels()
	}
	v, err := ad.r.Settings.PodSecurity.Judge(pod, labels)
	if err != nil {
		v.Refused = err.Error()
	}
	return v
}

// admitManifest makes of a pod of the folder what the API server's admission does, or says why it is forbidden.
func (ad admission) admitManifest(m *manifest.Pod) (admitted *manifest.Pod, reason, why string) {
	m = ad.admitAccount(m)
	admitted, err := ad.admitClass(m)
	if err != nil {
		return m, manifest.ReasonForbidden, err.Error()
	}
	return admitted, manifest.ReasonPodSecurity, ad.violates(admitted)
}

// admitClass gives a pod what its RuntimeClass adds. A pod that is there keeps what it was given, also where it is changed in
// place: classes concern new pods.
func (ad admission) admitClass(m *manifest.Pod) (*manifest.Pod, error) {
	if m.Object.Spec.RuntimeClassName == nil && m.Object.Spec.Overhead == nil {
		return m, nil
	}
	class := ad.classOf(m.Object)
	if p := ad.r.named(keyOf(m.Object)); p != nil && !p.Deleted && isOfClass(p.Record.RuntimeClass, m.Object) {
		object, err := runtimeclass.Admit(m.Object, p.Record.RuntimeClass)
		if err == nil && (p.Record.Hash == m.Hash || len(update.Compare(p.Record.Object, object).Replace) == 0) {
			class = p.Record.RuntimeClass
		}
	}
	object, err := runtimeclass.Admit(m.Object, class)
	if err != nil {
		return nil, err
	}
	out := *m
	out.Object, out.RuntimeClass = object, class
	return &out, nil
}

func isOfClass(class *nodev1.RuntimeClass, pod *corev1.Pod) bool {
	name := pod.Spec.RuntimeClassName
	return class != nil && name != nil && class.Name == *name
}

// classOf is what the folder says of the RuntimeClass of a pod, as far as it concerns pods; nil: the pod names none, or it is
// not there.
func (ad admission) classOf(pod *corev1.Pod) *nodev1.RuntimeClass {
	name := pod.Spec.RuntimeClassName
	if name == nil {
		return nil
	}
	o := ad.r.objects.Get(objects.KindRuntimeClass, "", *name)
	if o == nil {
		return nil
	}
	class := o.Value.(*nodev1.RuntimeClass)
	return &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: class.Name}, Handler: class.Handler, Overhead: class.Overhead, Scheduling: class.Scheduling}
}

// handlerOf is the runtime handler that a pod's sandbox is made by now; nil: it names none. As with a kubelet the class is
// looked up each time.
func (ad admission) handlerOf(pod *corev1.Pod) (*state.HandlerRecord, error) {
	return ad.r.Settings.RuntimeHandlers.Of(pod, ad.classOf(pod))
}

// retryHandlers lets pods try again at once whose RuntimeClass or runtime handler may have come; name is that of the class,
// "" of any.
func (ad admission) retryHandlers(name string) {
	for uid, p := range ad.r.pods {
		class := p.Record.Object.Spec.RuntimeClassName
		if class == nil || name != "" && name != *class || p.Record.Sandbox.Error == "" {
			continue
		}
		p.RetryNow()
		ad.r.mark(uid)
	}
}

// violates says what is wrong with a version of a manifest, "" if nothing is. A pod that is there is not judged again.
func (ad admission) violates(m *manifest.Pod) string {
	for _, p := range ad.r.pods {
		if rec := p.Record; rec.Hash == m.Hash && keyOf(rec.Object) == keyOf(m.Object) && !p.Deleted && rec.State != state.PodGone {
			return ""
		}
	}
	return ad.checkSecurity(m.Object).Refused
}

func forbiddenProblem(m *manifest.Pod, reason, why string) manifest.Problem {
	return manifest.Problem{
		File: m.File, Doc: m.Doc, Kind: "Pod", Namespace: m.Object.Namespace, Name: m.Object.Name, Reason: reason,
		Message: fmt.Sprintf("%s: pods %q is forbidden: %s", m.File, m.Object.Name, why),
	}
}

// before is the version of a manifest that a pod has now, nil if there is none: it goes on.
func (ad admission) before(m *manifest.Pod) *manifest.Pod {
	if p := ad.r.current(m); p != nil {
		return madePod(p.Record)
	}
	return nil
}

// warnOfSecurity says of a new pod what its namespace only warns of, to those who look at the pod, or audits.
func (ad admission) warnOfSecurity(p *lifecycle.Pod, now state.Instant) {
	v := ad.checkSecurity(p.Record.Object)
	if v.Warned != "" {
		ad.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, manifest.ReasonPodSecurity, v.Warned)
	}
	if v.Audited != "" {
		ad.r.Log.Warn("pod is not what its namespace audits", "pod", p.Name(), "violations", v.Audited)
	}
}
