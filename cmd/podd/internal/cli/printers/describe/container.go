package describe

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ephemeral are the ephemeral containers of a pod as containers.
func ephemeral(p *corev1.Pod) []corev1.Container {
	list := make([]corev1.Container, len(p.Spec.EphemeralContainers))
	for i := range list {
		list[i] = corev1.Container(p.Spec.EphemeralContainers[i].EphemeralContainerCommon)
	}
	return list
}

// containers writes a section, or nothing for no init or ephemeral containers.
func (d *printer) containers(title string, p *corev1.Pod, list []corev1.Container, states []corev1.ContainerStatus) {
	if len(list) == 0 {
		return
	}
	d.line(0, "%s:", title)
	for i := range list {
		var status *corev1.ContainerStatus
		for j := range states {
			if states[j].Name == list[i].Name {
				status = &states[j]
			}
		}
		d.container(p, &list[i], status)
	}
}

// container writes one; status is nil as long as nothing is known of it.
func (d *printer) container(p *corev1.Pod, c *corev1.Container, status *corev1.ContainerStatus) {
	d.line(1, "%s:", c.Name)
	if status != nil {
		d.field(2, "Container ID", status.ContainerID)
	}
	d.field(2, "Image", c.Image)
	if status != nil {
		d.field(2, "Image ID", status.ImageID)
	}
	d.ports(c.Ports)
	d.words("Command", c.Command)
	d.words("Args", c.Args)
	if status != nil {
		d.status("State", &status.State)
		if status.LastTerminationState.Terminated != nil {
			d.status("Last State", &status.LastTerminationState)
		}
		d.field(2, "Ready", title(status.Ready))
		d.field(2, "Restart Count", status.RestartCount)
	}
	d.quantities("Limits", c.Resources.Limits)
	d.quantities("Requests", c.Resources.Requests)
	d.probe("Liveness", c.LivenessProbe)
	d.probe("Readiness", c.ReadinessProbe)
	d.probe("Startup", c.StartupProbe)
	d.envFrom(c.EnvFrom)
	d.env(p, c)
	d.mounts(c.VolumeMounts)
}

func (d *printer) ports(ports []corev1.ContainerPort) {
	var inside, outside []string
	for _, p := range ports {
		inside = append(inside, fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol))
		outside = append(outside, fmt.Sprintf("%d/%s", p.HostPort, p.Protocol))
	}
	switch len(ports) {
	case 0:
		d.field(2, "Port", none)
		d.field(2, "Host Port", none)
	case 1:
		d.field(2, "Port", inside[0])
		d.field(2, "Host Port", outside[0])
	default:
		d.field(2, "Ports", strings.Join(inside, ", "))
		d.field(2, "Host Ports", strings.Join(outside, ", "))
	}
}

func (d *printer) words(name string, words []string) {
	if len(words) == 0 {
		return
	}
	d.line(2, "%s:", name)
	for _, w := range words {
		for l := range strings.SplitSeq(w, "\n") {
			d.line(3, "%s", l)
		}
	}
}

func (d *printer) status(name string, s *corev1.ContainerState) {
	switch {
	case s.Running != nil:
		d.field(2, name, "Running")
		d.field(3, "Started", stamp(s.Running.StartedAt))
	case s.Terminated != nil:
		d.field(2, name, "Terminated")
		d.terminated(s.Terminated)
	default:
		d.field(2, name, "Waiting")
		if s.Waiting != nil && s.Waiting.Reason != "" {
			d.field(3, "Reason", s.Waiting.Reason)
		}
		// Not in kubectl's: how long a back-off still lasts is known nowhere else.
		if s.Waiting != nil && strings.HasSuffix(s.Waiting.Message, " left") {
			d.field(3, "Message", s.Waiting.Message)
		}
	}
}

func (d *printer) terminated(t *corev1.ContainerStateTerminated) {
	if t.Reason != "" {
		d.field(3, "Reason", t.Reason)
	}
	if t.Message != "" {
		d.field(3, "Message", t.Message)
	}
	d.field(3, "Exit Code", t.ExitCode)
	if t.Signal > 0 {
		d.field(3, "Signal", t.Signal)
	}
	d.field(3, "Started", stamp(t.StartedAt))
	d.field(3, "Finished", stamp(t.FinishedAt))
}

func (d *printer) quantities(name string, list corev1.ResourceList) {
	if len(list) == 0 {
		return
	}
	d.line(2, "%s:", name)
	for _, r := range slices.Sorted(maps.Keys(list)) {
		q := list[r]
		d.field(3, string(r), q.String())
	}
}

func (d *printer) mounts(list []corev1.VolumeMount) {
	if len(list) == 0 {
		d.field(2, "Mounts", none)
		return
	}
	d.line(2, "Mounts:")
	list = slices.Clone(list)
	sort.SliceStable(list, func(i, j int) bool { return list[i].MountPath < list[j].MountPath })
	for _, m := range list {
		flags := "rw"
		if m.ReadOnly {
			flags = "ro"
		}
		if m.SubPath != "" {
			flags += fmt.Sprintf(",path=%q", m.SubPath)
		}
		d.line(3, "%s from %s (%s)", m.MountPath, m.Name, flags)
	}
}

// title is a bool as kubectl writes it.
func title(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
