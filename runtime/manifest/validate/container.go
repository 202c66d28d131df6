package validate

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// containerRules checks containers against the pod that they are in.
type containerRules struct {
	spec    *corev1.PodSpec
	volumes map[string]*corev1.Volume // the valid ones
	claims  map[string]bool
}

func (r *containerRules) containers(path *field.Path) field.ErrorList {
	if len(r.spec.Containers) == 0 {
		return field.ErrorList{field.Required(path, "write at least one container")}
	}
	var errs field.ErrorList
	seen := Seen{}
	for i := range r.spec.Containers {
		c, at := &r.spec.Containers[i], path.Index(i)
		errs = append(errs, r.common(c, at)...)
		if seen.Add(c.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		errs = append(errs, r.lifecycle(c, at)...)
		errs = append(errs, validateRestartRules(c, at)...)
	}
	return append(errs, hostPortConflicts(r.spec.Containers, path)...)
}

func (r *containerRules) initContainers(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := Seen{}
	for i := range r.spec.Containers {
		seen.Add(r.spec.Containers[i].Name)
	}
	for i := range r.spec.InitContainers {
		c, at := &r.spec.InitContainers[i], path.Index(i)
		errs = append(errs, r.common(c, at)...)
		if seen.Add(c.Name) && c.Name != "" {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		errs = append(errs, hostPortConflicts([]corev1.Container{*c}, path)...)
		errs = append(errs, validateRestartRules(c, at)...)
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			errs = append(errs, r.lifecycle(c, at)...)
			continue
		}
		const onlySidecars = "may not be set for init containers without restartPolicy=Always"
		for _, f := range []struct {
			set  bool
			name string
		}{
			{c.Lifecycle != nil, "lifecycle"},
			{c.LivenessProbe != nil, "livenessProbe"},
			{c.ReadinessProbe != nil, "readinessProbe"},
			{c.StartupProbe != nil, "startupProbe"},
		} {
			if f.set {
				errs = append(errs, field.Forbidden(at.Child(f.name), onlySidecars))
			}
		}
	}
	return errs
}

// common checks what init containers and others share.
func (r *containerRules) common(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "give the container a name"))
	} else {
		errs = append(errs, DNSLabel(c.Name, path.Child("name"))...)
	}
	if c.Image == "" {
		errs = append(errs, field.Required(path.Child("image"), "write the image to run"))
	}
	errs = append(errs, OneOf(path.Child("terminationMessagePolicy"), c.TerminationMessagePolicy,
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)...)
	errs = append(errs, validatePorts(c.Ports, path.Child("ports"))...)
	errs = append(errs, validateEnv(c.Env, path.Child("env"))...)
	errs = append(errs, validateEnvFrom(c.EnvFrom, path.Child("envFrom"))...)
	errs = append(errs, r.mounts(c, path.Child("volumeMounts"))...)
	errs = append(errs, r.devices(c, path.Child("volumeDevices"))...)
	errs = append(errs, OneOf(path.Child("imagePullPolicy"), c.ImagePullPolicy,
		corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	errs = append(errs, validateResources(&c.Resources, path.Child("resources"), containerResourceName)...)
	errs = append(errs, r.claimRefs(c.Resources.Claims, path.Child("resources", "claims"))...)
	errs = append(errs, validateResizePolicy(c.ResizePolicy, path.Child("resizePolicy"), r.spec.RestartPolicy)...)
	hostUsers := r.spec.HostUsers == nil || *r.spec.HostUsers
	return append(errs, validateSecurity(c.SecurityContext, path.Child("securityContext"), hostUsers)...)
}

func validatePorts(ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names := Seen{}
	for i, p := range ports {
		at := path.Index(i)
		if p.Name != "" {
			if msgs := validation.IsValidPortName(p.Name); len(msgs) > 0 {
				errs = append(errs, Invalid(at.Child("name"), p.Name, msgs)...)
			} else if names.Add(p.Name) {
				errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
			}
		}
		if p.ContainerPort == 0 {
			errs = append(errs, field.Required(at.Child("containerPort"), ""))
		} else {
			errs = append(errs, Invalid(at.Child("containerPort"), p.ContainerPort, validation.IsValidPortNum(int(p.ContainerPort)))...)
		}
		if p.HostPort != 0 {
			errs = append(errs, Invalid(at.Child("hostPort"), p.HostPort, validation.IsValidPortNum(int(p.HostPort)))...)
		}
		errs = append(errs, validateHostIP(p.HostIP, at.Child("hostIP"))...)
		errs = append(errs, OneOf(at.Child("protocol"), p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
	}
	return errs
}

// validateHostIP is stricter than the API server: a port must not be open to all because of a slip.
func validateHostIP(text string, path *field.Path) field.ErrorList {
	if text == "" {
		return nil
	}
	if ip, err := netip.ParseAddr(text); err != nil || ip.Zone() != "" {
		return field.ErrorList{field.Invalid(path, text,
			"must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses")}
	}
	return nil
}

func hostPortConflicts(containers []corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := Seen{}
	for i := range containers {
		for j, p := range containers[i].Ports {
			if name := fmt.Sprintf("%s/%s/%d", p.Protocol, p.HostIP, p.HostPort); p.HostPort != 0 && seen.Add(name) {
				errs = append(errs, field.Duplicate(path.Index(i).Child("ports").Index(j).Child("hostPort"), name))
			}
		}
	}
	return errs
}

func validateHostPorts(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	if !spec.HostNetwork {
		return nil
	}
	var errs field.ErrorList
	for i := range spec.Containers {
		for j, p := range spec.Containers[i].Ports {
			if p.HostPort != p.ContainerPort {
				errs = append(errs, field.Invalid(path.Index(i).Child("ports").Index(j).Child("hostPort"), p.HostPort,
					"must match `containerPort` when `hostNetwork` is true"))
			}
		}
	}
	return errs
}

func validateResizePolicy(policies []corev1.ContainerResizePolicy, path *field.Path, restart corev1.RestartPolicy) field.ErrorList {
	var errs field.ErrorList
	seen := Seen{}
	for i, p := range policies {
		if seen.Add(string(p.ResourceName)) {
			errs = append(errs, field.Duplicate(path.Index(i), p.ResourceName))
		}
		errs = append(errs, OneOf(path, p.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)...)
		errs = append(errs, OneOf(path, p.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)...)
		if restart == corev1.RestartPolicyNever && p.RestartPolicy != corev1.NotRequired {
			errs = append(errs, field.Invalid(path, p.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
		}
	}
	return errs
}

// validateRestartRules checks a container's own restart policy (KEP-5307).
func validateRestartRules(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.RestartPolicy != nil {
		errs = append(errs, OneOf(path.Child("restartPolicy"), *c.RestartPolicy,
			corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)...)
	}
	rules := path.Child("restartPolicyRules")
	if len(c.RestartPolicyRules) > 0 && c.RestartPolicy == nil {
		errs = append(errs, field.Required(path.Child("restartPolicy"), "must specify restartPolicy when restart rules are used"))
	}
	if len(c.RestartPolicyRules) > 20 {
		errs = append(errs, field.TooMany(rules, len(c.RestartPolicyRules), 20))
	}
	for i, rule := range c.RestartPolicyRules {
		errs = append(errs, Supported(rules.Index(i).Child("action"), rule.Action,
			corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)...)
		at := rules.Index(i).Child("exitCodes")
		if rule.ExitCodes == nil {
			errs = append(errs, field.Required(at, "must be specified"))
			continue
		}
		errs = append(errs, Supported(at.Child("operator"), rule.ExitCodes.Operator,
			corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)...)
		if n := len(rule.ExitCodes.Values); n > 255 {
			errs = append(errs, field.TooMany(at.Child("values"), n, 255))
		}
	}
	return errs
}

// validateStopSignal checks what a container is asked to end with (KEP-4960). The signals of Windows are refused with it.
func validateStopSignal(signal *corev1.Signal, path *field.Path, os *corev1.PodOS) field.ErrorList {
	switch {
	case signal == nil:
		return nil
	case os == nil || os.Name == "":
		return field.ErrorList{field.Forbidden(path, "may not be set for containers with empty `spec.os.name`")}
	case os.Name == corev1.Linux:
		return Supported(path, *signal, stopSignals()...)
	}
	return nil
}

// stopSignals are the signals of Linux that the API has, in its order.
func stopSignals() []corev1.Signal {
	signals := []corev1.Signal{
		corev1.SIGABRT, corev1.SIGALRM, corev1.SIGBUS, corev1.SIGCHLD, corev1.SIGCLD, corev1.SIGCONT, corev1.SIGFPE, corev1.SIGHUP,
		corev1.SIGILL, corev1.SIGINT, corev1.SIGIO, corev1.SIGIOT, corev1.SIGKILL, corev1.SIGPIPE, corev1.SIGPOLL, corev1.SIGPROF,
		corev1.SIGPWR, corev1.SIGQUIT, corev1.SIGSEGV, corev1.SIGSTKFLT, corev1.SIGSTOP, corev1.SIGSYS, corev1.SIGTERM, corev1.SIGTRAP,
		corev1.SIGTSTP, corev1.SIGTTIN, corev1.SIGTTOU, corev1.SIGURG, corev1.SIGUSR1, corev1.SIGUSR2, corev1.SIGVTALRM,
		corev1.SIGWINCH, corev1.SIGXCPU, corev1.SIGXFSZ, corev1.SIGRTMIN, corev1.SIGRTMAX,
	}
	for n := 1; n <= 15; n++ {
		signals = append(signals, corev1.Signal(fmt.Sprintf("%s+%d", corev1.SIGRTMIN, n)))
	}
	for n := 1; n <= 14; n++ {
		signals = append(signals, corev1.Signal(fmt.Sprintf("%s-%d", corev1.SIGRTMAX, n)))
	}
	slices.Sort(signals)
	return signals
}
