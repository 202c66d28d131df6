package service

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Env are the variables by which containers find the Services of their namespace. They need a completed Service.
// https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
func Env(services []*corev1.Service, namespace string) []corev1.EnvVar {
	var out []corev1.EnvVar
	add := func(name, value string) { out = append(out, corev1.EnvVar{Name: name, Value: value}) }
	for _, s := range services {
		if s.Namespace != namespace || headless(s) || s.Spec.ClusterIP == "" || len(s.Spec.Ports) == 0 {
			continue
		}
		prefix, ip := envName(s.Name), s.Spec.ClusterIP
		add(prefix+"_SERVICE_HOST", ip)
		add(prefix+"_SERVICE_PORT", strconv.Itoa(int(s.Spec.Ports[0].Port)))
		for _, p := range s.Spec.Ports {
			if p.Name != "" {
				add(prefix+"_SERVICE_PORT_"+envName(p.Name), strconv.Itoa(int(p.Port)))
			}
		}
		for i, p := range s.Spec.Ports {
			protocol, number := strings.ToLower(string(p.Protocol)), strconv.Itoa(int(p.Port))
			url := protocol + "://" + net.JoinHostPort(ip, number)
			if i == 0 {
				add(prefix+"_PORT", url)
			}
			link := prefix + "_PORT_" + number + "_" + strings.ToUpper(protocol)
			add(link, url)
			add(link+"_PROTO", protocol)
			add(link+"_PORT", number)
			add(link+"_ADDR", ip)
		}
	}
	return out
}

func envName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
