package validate

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// lifecycle checks hooks and probes.
func (r *containerRules) lifecycle(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if l := c.Lifecycle; l != nil {
		at := path.Child("lifecycle")
		errs = append(errs, r.hook(l.PostStart, c.Ports, at.Child("postStart"))...)
		errs = append(errs, r.hook(l.PreStop, c.Ports, at.Child("preStop"))...)
		errs = append(errs, validateStopSignal(l.StopSignal, at.Child("stopSignal"), r.spec.OS)...)
	}
	errs = append(errs, r.probe(c.LivenessProbe, c.Ports, path.Child("livenessProbe"))...)
	errs = append(errs, onlyOnce(c.LivenessProbe, path.Child("livenessProbe"))...)
	errs = append(errs, r.probe(c.ReadinessProbe, c.Ports, path.Child("readinessProbe"))...)
	if p := c.ReadinessProbe; p != nil && p.TerminationGracePeriodSeconds != nil {
		errs = append(errs, field.Invalid(path.Child("readinessProbe", "terminationGracePeriodSeconds"),
			p.TerminationGracePeriodSeconds, "must not be set for readinessProbes"))
	}
	errs = append(errs, r.probe(c.StartupProbe, c.Ports, path.Child("startupProbe"))...)
	return append(errs, onlyOnce(c.StartupProbe, path.Child("startupProbe"))...)
}

func onlyOnce(p *corev1.Probe, path *field.Path) field.ErrorList {
	if p == nil || p.SuccessThreshold == 1 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("successThreshold"), p.SuccessThreshold, "must be 1")}
}

func (r *containerRules) probe(p *corev1.Probe, ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	errs := r.handler(handler{exec: p.Exec, http: p.HTTPGet, tcp: p.TCPSocket, grpc: p.GRPC, ports: ports}, path)
	errs = append(errs, NonNegative(int64(p.InitialDelaySeconds), path.Child("initialDelaySeconds"))...)
	errs = append(errs, NonNegative(int64(p.TimeoutSeconds), path.Child("timeoutSeconds"))...)
	errs = append(errs, NonNegative(int64(p.PeriodSeconds), path.Child("periodSeconds"))...)
	errs = append(errs, NonNegative(int64(p.SuccessThreshold), path.Child("successThreshold"))...)
	errs = append(errs, NonNegative(int64(p.FailureThreshold), path.Child("failureThreshold"))...)
	if g := p.TerminationGracePeriodSeconds; g != nil && *g <= 0 {
		errs = append(errs, field.Invalid(path.Child("terminationGracePeriodSeconds"), *g, "must be greater than 0"))
	}
	return errs
}

func (r *containerRules) hook(h *corev1.LifecycleHandler, ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	if h == nil {
		return nil
	}
	return r.handler(handler{exec: h.Exec, http: h.HTTPGet, tcp: h.TCPSocket, sleep: h.Sleep, ports: ports}, path)
}

// handler is what a probe or a hook does; one of them is set.
type handler struct {
	exec  *corev1.ExecAction
	http  *corev1.HTTPGetAction
	tcp   *corev1.TCPSocketAction
	grpc  *corev1.GRPCAction
	sleep *corev1.SleepAction
	ports []corev1.ContainerPort
}

func (r *containerRules) handler(h handler, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	found := false
	try := func(set bool, name string, check func(*field.Path) field.ErrorList) {
		switch {
		case set && found:
			errs = append(errs, field.Forbidden(path.Child(name), "may not specify more than 1 handler type"))
		case set:
			found = true
			errs = append(errs, check(path.Child(name))...)
		}
	}
	try(h.exec != nil, "exec", func(at *field.Path) field.ErrorList {
		if len(h.exec.Command) == 0 {
			return field.ErrorList{field.Required(at.Child("command"), "")}
		}
		return nil
	})
	try(h.http != nil, "httpGet", func(at *field.Path) field.ErrorList { return validateHTTPGet(h.http, h.ports, at) })
	try(h.tcp != nil, "tcpSocket", func(at *field.Path) field.ErrorList { return validatePort(h.tcp.Port, h.ports, at.Child("port")) })
	try(h.grpc != nil, "grpc", func(at *field.Path) field.ErrorList {
		errs := validatePort(intstr.FromInt32(h.grpc.Port), nil, at.Child("port"))
		if m := h.grpc.Mode; m != nil {
			errs = append(errs, OneOf(at.Child("mode"), *m, corev1.GRPCProbeModePlaintext, corev1.GRPCProbeModeTLS)...)
		}
		return errs
	})
	try(h.sleep != nil, "sleep", func(at *field.Path) field.ErrorList {
		grace := r.spec.TerminationGracePeriodSeconds
		if grace == nil || h.sleep.Seconds >= 0 && h.sleep.Seconds <= *grace {
			return nil
		}
		return field.ErrorList{field.Invalid(at, h.sleep.Seconds,
			fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *grace))}
	})
	if !found {
		errs = append(errs, field.Required(path, "must specify a handler type"))
	}
	return errs
}

func validateHTTPGet(h *corev1.HTTPGetAction, ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if h.Path == "" {
		errs = append(errs, field.Required(path.Child("path"), ""))
	}
	errs = append(errs, validatePort(h.Port, ports, path.Child("port"))...)
	if h.Scheme != corev1.URISchemeHTTP && h.Scheme != corev1.URISchemeHTTPS {
		errs = append(errs, field.NotSupported(path.Child("scheme"), h.Scheme, []corev1.URIScheme{corev1.URISchemeHTTP, corev1.URISchemeHTTPS}))
	}
	if p := h.Protocol; p != nil {
		errs = append(errs, OneOf(path.Child("protocol"), *p, corev1.HTTPProtocolHTTP1, corev1.HTTPProtocolHTTP2)...)
		if *p == corev1.HTTPProtocolHTTP2 && h.Scheme != corev1.URISchemeHTTP {
			errs = append(errs, field.Invalid(path.Child("protocol"), *p, "must be used with scheme HTTP: HTTP/2 is spoken in clear text only"))
		}
	}
	for _, header := range h.HTTPHeaders {
		errs = append(errs, Invalid(path.Child("httpHeaders"), header.Name, validation.IsHTTPHeaderName(header.Name))...)
	}
	return errs
}

// validatePort checks a number, or a name, which the API server does not look up: the kubelet finds at each probe that
// there is none.
func validatePort(port intstr.IntOrString, ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	if port.Type == intstr.Int {
		return Invalid(path, port.IntValue(), validation.IsValidPortNum(port.IntValue()))
	}
	if msgs := validation.IsValidPortName(port.StrVal); len(msgs) > 0 {
		return Invalid(path, port.StrVal, msgs)
	}
	var names []string
	for _, p := range ports {
		if p.Name == port.StrVal {
			return nil
		}
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	remedy := "no port of the container has a name; name one, or write its number"
	if len(names) > 0 {
		remedy = "the container's ports are named: " + strings.Join(names, ", ")
	}
	return field.ErrorList{field.Invalid(path, port.StrVal, "port "+port.StrVal+" not found: "+remedy)}
}
