// Package defaults fills in what the API server would.
package defaults

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/annotation"
)

// SetPod fills in what the API server would (kubernetes pkg/apis/core/v1/defaults.go), so that a manifest
// means here what it means there.
func SetPod(pod *corev1.Pod) {
	pod.Namespace = Or(pod.Namespace, metav1.NamespaceDefault)
	SetTemplate(&pod.Spec)
	setPodDefaults(pod)
}

// SetTemplate fills in what the API server does for pods and for templates of pods alike.
func SetTemplate(spec *corev1.PodSpec) {
	setSpecDefaults(spec)
	for i := range spec.Volumes {
		setVolumeDefaults(&spec.Volumes[i])
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			setContainerDefaults(&list[i])
		}
	}
	roundUp(spec.Overhead)
	if spec.Resources != nil {
		roundUp(spec.Resources.Limits)
		roundUp(spec.Resources.Requests)
	}
}

// setPodDefaults fills in what templates are left without, so that their hashes stay what they are.
func setPodDefaults(pod *corev1.Pod) {
	annotation.DropSource(&pod.ObjectMeta)
	spec := &pod.Spec
	if *spec.TerminationGracePeriodSeconds < 0 {
		shortest := int64(1)
		spec.TerminationGracePeriodSeconds = &shortest
	}
	setPriority(spec)
	Set(&spec.EnableServiceLinks, corev1.DefaultEnableServiceLinks)
	setTokenDefaults(pod)
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			setRequests(&list[i].Resources)
			for j := range list[i].Ports {
				if port := &list[i].Ports[j]; spec.HostNetwork {
					port.HostPort = Or(port.HostPort, port.ContainerPort)
				}
			}
		}
	}
	if spec.Resources != nil {
		setPodResourceDefaults(spec)
	}
}

func setSpecDefaults(spec *corev1.PodSpec) {
	spec.DNSPolicy = Or(spec.DNSPolicy, corev1.DNSClusterFirst)
	spec.RestartPolicy = Or(spec.RestartPolicy, corev1.RestartPolicyAlways)
	spec.SchedulerName = Or(spec.SchedulerName, corev1.DefaultSchedulerName)
	Set(&spec.TerminationGracePeriodSeconds, int64(corev1.DefaultTerminationGracePeriodSeconds))
	Set(&spec.SecurityContext, corev1.PodSecurityContext{})
	// serviceAccount is the old name of serviceAccountName; the API server keeps the two equal.
	spec.ServiceAccountName = Or(spec.ServiceAccountName, spec.DeprecatedServiceAccount)
	spec.DeprecatedServiceAccount = spec.ServiceAccountName
}

// setPriority fills in those of the classes that every cluster has, as the API server's admission does.
// https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/#marking-pod-as-critical
func setPriority(spec *corev1.PodSpec) {
	switch spec.PriorityClassName {
	case "system-cluster-critical":
		Set(&spec.Priority, int32(2_000_000_000))
	case "system-node-critical":
		Set(&spec.Priority, int32(2_000_001_000))
	}
}

func setContainerDefaults(c *corev1.Container) {
	c.ImagePullPolicy = Or(c.ImagePullPolicy, pullPolicyOf(c.Image))
	c.TerminationMessagePath = Or(c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	c.TerminationMessagePolicy = Or(c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	for i := range c.Ports {
		port := &c.Ports[i]
		port.Protocol = Or(port.Protocol, corev1.ProtocolTCP)
	}
	for i := range c.Env {
		if from := c.Env[i].ValueFrom; from != nil && from.FieldRef != nil {
			from.FieldRef.APIVersion = Or(from.FieldRef.APIVersion, "v1")
		}
	}
	roundUp(c.Resources.Limits)
	roundUp(c.Resources.Requests)
	setProbeDefaults(c.LivenessProbe)
	setProbeDefaults(c.ReadinessProbe)
	setProbeDefaults(c.StartupProbe)
	if c.Lifecycle != nil {
		setHookDefaults(c.Lifecycle.PostStart)
		setHookDefaults(c.Lifecycle.PreStop)
	}
}

// pullPolicyOf is Always for the tag latest, said or implied, and IfNotPresent for every other tag and a digest.
func pullPolicyOf(image string) corev1.PullPolicy {
	name, _, digest := strings.Cut(image, "@")
	_, tag, tagged := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	if tag == "latest" || (!tagged && !digest) {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

func setProbeDefaults(p *corev1.Probe) {
	if p == nil {
		return
	}
	p.TimeoutSeconds = Or(p.TimeoutSeconds, 1)
	p.PeriodSeconds = Or(p.PeriodSeconds, 10)
	p.SuccessThreshold = Or(p.SuccessThreshold, 1)
	p.FailureThreshold = Or(p.FailureThreshold, 3)
	setHTTPDefaults(p.HTTPGet)
	if p.GRPC != nil {
		Set(&p.GRPC.Service, "")
	}
}

func setHookDefaults(h *corev1.LifecycleHandler) {
	if h != nil {
		setHTTPDefaults(h.HTTPGet)
	}
}

func setHTTPDefaults(h *corev1.HTTPGetAction) {
	if h != nil {
		h.Path = Or(h.Path, "/")
		h.Scheme = Or(h.Scheme, corev1.URISchemeHTTP)
	}
}

// Or returns v, or otherwise if v is the zero value.
func Or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Set points *p to a copy of v if it points to nothing.
func Set[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}
