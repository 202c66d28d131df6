package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// casesDir holds manifests that others wrote; they are not part of the project.
const casesDir = "../../shared/cases/kubernetes-website"

// The Kubernetes documentation's own example pods that need no volume, probe, hook or service run unchanged; only their
// images are stand-ins made of busybox under the same names.
func TestKubernetesExamples(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(casesDir, "INDEX.tsv"))
	if err != nil {
		t.Skipf("the examples are not here: %v", err)
	}
	b := newBoard(t)
	b.loadImages("cases.tar")
	ran := 0
	for line := range strings.Lines(string(index)) {
		field := strings.Split(line, "\t")
		if len(field) < 5 || field[2] != "run" || field[3] != "ACCEPT" || strings.Trim(field[1], "Pod,") != "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(casesDir, field[0]))
		b.must(err)
		if why := needsMore(data); why != "" {
			t.Logf("left out: %s needs %s", field[0], why)
			continue
		}
		ran++
		t.Run(field[0], func(t *testing.T) { runExample(t, &Board{Node: b.Node, t: t}, data) })
	}
	if ran < 20 {
		t.Errorf("only %d examples ran", ran)
	}
}

// runExample drops the file, waits until each container has been started, and removes the file again.
func runExample(t *testing.T, b *Board, data []byte) {
	t.Helper()
	// Their pods wait out a grace of 30 s; the examples are about starting.
	b.drop("example", shortGrace(data))
	for _, pod := range podsIn(data) {
		b.wait(fullName(&pod), wasStarted)
	}
	b.remove("example")
	for _, pod := range podsIn(data) {
		b.gone(fullName(&pod))
	}
}

// shortGrace adds a grace of a second to every pod that names none.
func shortGrace(data []byte) string {
	if bytes.Contains(data, []byte("terminationGracePeriodSeconds")) {
		return string(data)
	}
	return strings.ReplaceAll("\n"+string(data), "\nspec:", "\nspec:\n  terminationGracePeriodSeconds: 1")
}

func wasStarted(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		last := ended(pod, c.Name)
		if c.State.Running == nil && last == nil {
			return "container " + c.Name + " has not been started"
		}
		if last != nil && (last.StartedAt.IsZero() || last.Reason == "StartError" || last.Reason == "ContainerCannotRun") {
			return fmt.Sprintf("container %s could not start: %s", c.Name, last.Message)
		}
	}
	return hasStatuses(pod)
}

// fullName is a pod's name with its namespace where that is not the default one.
func fullName(pod *corev1.Pod) string {
	if pod.Namespace == "" {
		return pod.Name
	}
	return pod.Namespace + "/" + pod.Name
}

func podsIn(data []byte) []corev1.Pod {
	var pods []corev1.Pod
	for document := range bytes.SplitSeq(data, []byte("\n---")) {
		pod := corev1.Pod{}
		if yaml.Unmarshal(document, &pod) == nil && pod.Kind == "Pod" {
			pods = append(pods, pod)
		}
	}
	return pods
}

// needsMore names what a file needs that pods alone do not have yet.
func needsMore(data []byte) string {
	for _, pod := range podsIn(data) {
		spec := pod.Spec
		switch {
		case len(spec.Volumes) > 0:
			return "volumes"
		case len(spec.InitContainers) > 0:
			return "init containers"
		case spec.HostUsers != nil && !*spec.HostUsers:
			return "user namespaces"
		}
		if why := profileOf(spec.SecurityContext, pod.Annotations); why != "" {
			return why
		}
		for i := range spec.Containers {
			if why := containerNeedsMore(&spec.Containers[i]); why != "" {
				return why
			}
		}
	}
	return ""
}

func profileOf(context *corev1.PodSecurityContext, annotations map[string]string) string {
	for key := range annotations {
		if strings.Contains(key, "seccomp") || strings.Contains(key, "apparmor") {
			return "a profile of its node"
		}
	}
	if context != nil && context.SeccompProfile != nil && context.SeccompProfile.Type != corev1.SeccompProfileTypeUnconfined {
		return "a seccomp profile"
	}
	if context != nil && context.AppArmorProfile != nil && context.AppArmorProfile.Type == corev1.AppArmorProfileTypeLocalhost {
		return "an AppArmor profile of its node"
	}
	return ""
}

func containerNeedsMore(c *corev1.Container) string {
	switch {
	case c.LivenessProbe != nil || c.ReadinessProbe != nil || c.StartupProbe != nil:
		return "probes"
	case c.Lifecycle != nil:
		return "hooks"
	case len(c.EnvFrom) > 0 || len(c.VolumeMounts) > 0 || len(c.VolumeDevices) > 0:
		return "volumes or environment sources"
	}
	for _, env := range c.Env {
		if env.ValueFrom != nil {
			return "environment sources"
		}
	}
	for name := range c.Resources.Limits {
		if strings.Contains(string(name), "/") {
			return "a device of its node"
		}
	}
	if sc := c.SecurityContext; sc != nil && (sc.AppArmorProfile != nil || sc.SeccompProfile != nil) {
		return "a profile of its node"
	}
	return ""
}
