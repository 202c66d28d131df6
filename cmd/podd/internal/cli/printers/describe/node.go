package describe

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/resources"
)

// Node prints a node, who has which of its devices, and its events.
func Node(w io.Writer, n *corev1.Node, pods []corev1.Pod, events []corev1.Event, now time.Time) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	d := &printer{w: tw, now: now}
	d.field(0, "Name", n.Name)
	d.pairs("Labels", n.Labels, "=")
	d.field(0, "CreationTimestamp", n.CreationTimestamp.Format(time.RFC1123Z))
	d.line(0, "Conditions:")
	d.line(1, "Type\tStatus\tReason\tMessage")
	for _, c := range n.Status.Conditions {
		d.line(1, "%s\t%s\t%s\t%s", c.Type, c.Status, c.Reason, c.Message)
	}
	d.line(0, "Addresses:")
	for _, a := range n.Status.Addresses {
		d.field(1, string(a.Type), a.Address)
	}
	amounts(d, "Capacity", n.Status.Capacity)
	amounts(d, "Allocatable", n.Status.Allocatable)
	info := n.Status.NodeInfo
	d.line(0, "System Info:")
	for _, f := range [][2]string{
		{"Machine ID", info.MachineID},
		{"Boot ID", info.BootID},
		{"Kernel Version", info.KernelVersion},
		{"OS Image", info.OSImage},
		{"Operating System", info.OperatingSystem},
		{"Architecture", info.Architecture},
		{"Container Runtime Version", info.ContainerRuntimeVersion},
	} {
		d.field(1, f[0], f[1])
	}
	allocated(d, n, pods)
	d.events(events)
	return tw.Flush()
}

func amounts(d *printer, title string, list corev1.ResourceList) {
	d.line(0, "%s:", title)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		q := list[name]
		d.field(1, string(name), q.String())
	}
}

// allocated are the units of devices that pods have, and what is asked for of everything else.
func allocated(d *printer, n *corev1.Node, pods []corev1.Pod) {
	requests, limits := map[corev1.ResourceName]float64{}, map[corev1.ResourceName]float64{}
	var devices [][]string
	for i := range pods {
		p := &pods[i]
		waits := p.Spec.NodeName == "" // for what is not there: kubectl does not count it either
		if waits || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		asked, allowed := resources.Totals(&p.Spec)
		for name, q := range asked {
			requests[name] += q.AsApproximateFloat64()
		}
		for name, q := range allowed {
			limits[name] += q.AsApproximateFloat64()
		}
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			for _, r := range s.AllocatedResourcesStatus {
				for _, unit := range r.Resources {
					devices = append(devices, []string{string(r.Name), string(unit.ResourceID), string(unit.Health), p.Namespace + "/" + p.Name, s.Name})
				}
			}
		}
	}
	d.line(0, "Allocated resources:")
	d.line(1, "Resource\tRequests\tLimits")
	for _, name := range slices.Sorted(maps.Keys(n.Status.Allocatable)) {
		total := n.Status.Allocatable[name]
		part := func(used float64) string {
			percent := 0.0
			if all := total.AsApproximateFloat64(); all > 0 {
				percent = 100 * used / all
			}
			return fmt.Sprintf("%g (%.0f%%)", used, percent)
		}
		d.line(1, "%s\t%s\t%s", name, part(requests[name]), part(limits[name]))
	}
	if len(devices) == 0 {
		d.field(0, "Devices", none)
		return
	}
	sort.Slice(devices, func(i, j int) bool { return slices.Compare(devices[i], devices[j]) < 0 })
	d.line(0, "Devices:")
	d.line(1, "Resource\tID\tHealth\tPod\tContainer")
	for _, row := range devices {
		d.line(1, "%s", strings.Join(row, "\t"))
	}
}
