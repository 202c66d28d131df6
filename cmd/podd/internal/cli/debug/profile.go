package debug

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Keep says what a copy of a pod keeps of the pod.
type Keep struct {
	Labels, Annotations, Liveness, Readiness, Startup, InitContainers bool
}

// style is what a container is added to.
type style int

const (
	inPod  style = iota // a pod that runs
	inCopy              // a copy of it
	onNode              // a pod of its own
)

// The profiles: what a container may do, and how much of it the Pod Security Standards let it.
const (
	legacy     = "legacy"
	General    = "general"
	baseline   = "baseline"
	restricted = "restricted"
	netadmin   = "netadmin"
	sysadmin   = "sysadmin"
)

// Profiles are the names that --profile takes.
func Profiles() []string { return []string{legacy, General, baseline, restricted, netadmin, sysadmin} }

// apply makes a container of a pod what a profile says. It is k8s.io/kubectl's (pkg/cmd/debug/profiles.go).
func apply(profile string, keep Keep, pod *corev1.Pod, c *corev1.Container, s style) {
	confine(profile, c, s)
	switch s {
	case inCopy:
		strip(profile, keep, pod)
	case onNode:
		expose(profile, pod, c)
	}
}

// confine sets the container's security context.
func confine(profile string, c *corev1.Container, s style) {
	switch profile {
	case General:
		if s == onNode {
			c.SecurityContext = nil
			return
		}
		addCapabilities(c, "SYS_PTRACE")
	case baseline:
		c.SecurityContext = nil
	case restricted:
		c.SecurityContext = &corev1.SecurityContext{
			RunAsNonRoot:             ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	case netadmin:
		addCapabilities(c, "NET_ADMIN", "NET_RAW")
	case sysadmin:
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		c.SecurityContext.Privileged = ptr.To(true)
	}
}

func addCapabilities(c *corev1.Container, names ...corev1.Capability) {
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	if c.SecurityContext.Capabilities == nil {
		c.SecurityContext.Capabilities = &corev1.Capabilities{}
	}
	c.SecurityContext.Capabilities.Add = append(c.SecurityContext.Capabilities.Add, names...)
}

// strip takes from a copy what would mislead others: Services would send it requests, probes would end it.
func strip(profile string, keep Keep, pod *corev1.Pod) {
	if profile == legacy {
		pod.Labels = nil
		return
	}
	if !keep.Labels {
		pod.Labels = nil
	}
	if !keep.Annotations {
		pod.Annotations = nil
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if !keep.Liveness {
			c.LivenessProbe = nil
		}
		if !keep.Readiness {
			c.ReadinessProbe = nil
		}
		if !keep.Startup {
			c.StartupProbe = nil
		}
	}
	if !keep.InitContainers {
		pod.Spec.InitContainers = nil
	}
	if pod.Spec.ShareProcessNamespace == nil {
		pod.Spec.ShareProcessNamespace = ptr.To(true)
	}
}

// expose lets a pod see the machine.
func expose(profile string, pod *corev1.Pod, c *corev1.Container) {
	switch profile {
	case legacy, General, sysadmin:
		const volume = "host-root"
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: volume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
		})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: "/host"})
	case netadmin:
	default:
		return
	}
	pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC = true, true, true
}
