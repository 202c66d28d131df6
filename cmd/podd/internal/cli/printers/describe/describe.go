// Package describe prints objects in the layout of `kubectl describe`.
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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"podd/internal/escape"
	"podd/runtime/manifest/annotation"
)

const none = "<none>"

// manifestKey is the annotation that names the file that a pod is from.
const manifestKey = "podd.dev/manifest"

// handlerKey is the annotation that names the runtime handler that a pod of a RuntimeClass is run by.
const handlerKey = "podd.dev/runtime-handler"

// usersKey is the annotation that says whose users and groups a pod has, and why not its own.
const usersKey = "podd.dev/user-namespace"

// Pod prints a pod and its events, oldest first. now is for their ages.
func Pod(w io.Writer, p *corev1.Pod, events []corev1.Event, now time.Time) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	d := &printer{w: tw, now: now}
	d.head(p)
	d.state(p)
	d.address(p)
	d.containers("Init Containers", p, p.Spec.InitContainers, p.Status.InitContainerStatuses)
	d.containers("Containers", p, p.Spec.Containers, p.Status.ContainerStatuses)
	d.containers("Ephemeral Containers", p, ephemeral(p), p.Status.EphemeralContainerStatuses)
	d.gates(p)
	d.conditions(p)
	d.volumes(p.Spec.Volumes)
	d.field(0, "QoS Class", qosClass(p))
	d.pairs("Node-Selectors", p.Spec.NodeSelector, "=")
	d.tolerations(p.Spec.Tolerations)
	d.events(events)
	return tw.Flush()
}

// printer writes lines whose cells tabwriter aligns. Its writes go to memory until Flush
// and cannot fail.
type printer struct {
	w    io.Writer
	now  time.Time
	base int // the level of what is within something: see template
}

// line writes one, indented by level. It is escaped here, and not by who prints it, so that tabwriter counts what is
// printed and sees no control characters of its own in it. A value of several lines goes on below where it began: its
// lines would else look like fields, or like another object.
func (d *printer) line(level int, format string, args ...any) {
	level += d.base
	indent := strings.Repeat("  ", level)
	text := escape.Text(fmt.Sprintf(format, args...))
	if first, _, more := strings.Cut(text, "\n"); more {
		text = strings.ReplaceAll(text, "\n", "\n"+indent+strings.Repeat("\t", max(1, strings.Count(first, "\t"))))
	}
	fmt.Fprintln(d.w, indent+text)
}

// field writes "Name:  value".
//
//go:noinline
func (d *printer) field(level int, name string, value any) {
	d.line(level, "%s:\t%v", name, value)
}

// optional is a field that is left out when it is empty.
func (d *printer) optional(name, value string) {
	if value != "" {
		d.field(0, name, value)
	}
}

// pairs writes a map over several lines, sorted by key.
func (d *printer) pairs(name string, m map[string]string, separator string) {
	if len(m) == 0 {
		d.field(0, name, none)
		return
	}
	label := name + ":"
	for _, k := range slices.Sorted(maps.Keys(m)) {
		d.line(0, "%s\t%s%s%s", label, k, separator, m[k])
		label = ""
	}
}

func (d *printer) head(p *corev1.Pod) {
	d.field(0, "Name", p.Name)
	d.field(0, "Namespace", p.Namespace)
	if p.Spec.Priority != nil {
		d.field(0, "Priority", *p.Spec.Priority)
	}
	d.optional("Priority Class Name", p.Spec.PriorityClassName)
	if p.Spec.RuntimeClassName != nil {
		d.optional("Runtime Class Name", *p.Spec.RuntimeClassName)
		d.optional("Runtime Handler", p.Annotations[handlerKey])
	}
	d.optional("User Namespace", p.Annotations[usersKey])
	d.optional("Service Account", p.Spec.ServiceAccountName)
	if p.Spec.NodeName == "" {
		d.field(0, "Node", none)
	} else {
		d.field(0, "Node", p.Spec.NodeName+"/"+p.Status.HostIP)
	}
	if p.Status.StartTime != nil {
		d.field(0, "Start Time", stamp(*p.Status.StartTime))
	}
	d.pairs("Labels", p.Labels, "=")
	d.pairs("Annotations", p.Annotations, ": ")
	d.optional("Manifest", p.Annotations[manifestKey])
}

func (d *printer) state(p *corev1.Pod) {
	ended := p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
	if p.DeletionTimestamp != nil && !ended {
		d.field(0, "Status", "Terminating (lasts "+d.since(*p.DeletionTimestamp)+")")
		if g := p.DeletionGracePeriodSeconds; g != nil {
			d.field(0, "Termination Grace Period", fmt.Sprintf("%ds", *g))
		}
	} else {
		d.field(0, "Status", p.Status.Phase)
	}
	d.optional("Reason", p.Status.Reason)
	d.optional("Message", p.Status.Message)
	d.manifest(p)
	if s := p.Spec.SecurityContext; s != nil && s.SeccompProfile != nil {
		d.field(0, "SeccompProfile", s.SeccompProfile.Type)
		if s.SeccompProfile.LocalhostProfile != nil {
			d.field(0, "LocalhostProfile", *s.SeccompProfile.LocalhostProfile)
		}
	}
}

// manifest says why an object goes on from an older version of its manifest, or is not there.
func (d *printer) manifest(o metav1.Object) {
	reason, message := annotation.ProblemOf(o)
	d.optional("Reason", reason)
	d.optional("Message", message)
}

func (d *printer) address(p *corev1.Pod) {
	d.field(0, "IP", p.Status.PodIP)
	if len(p.Status.PodIPs) == 0 {
		d.field(0, "IPs", none)
		return
	}
	d.line(0, "IPs:")
	for _, ip := range p.Status.PodIPs {
		d.field(1, "IP", ip.IP)
	}
}

func (d *printer) gates(p *corev1.Pod) {
	if len(p.Spec.ReadinessGates) == 0 {
		return
	}
	d.line(0, "Readiness Gates:")
	d.line(1, "Type\tStatus")
	for _, g := range p.Spec.ReadinessGates {
		status := none
		for _, c := range p.Status.Conditions {
			if c.Type == g.ConditionType {
				status = string(c.Status)
			}
		}
		d.line(1, "%s \t%s ", g.ConditionType, status)
	}
}

func (d *printer) conditions(p *corev1.Pod) {
	if len(p.Status.Conditions) == 0 {
		return
	}
	d.line(0, "Conditions:")
	d.line(1, "Type\tStatus")
	for _, c := range p.Status.Conditions {
		d.line(1, "%s \t%s ", c.Type, c.Status)
	}
}

func (d *printer) tolerations(list []corev1.Toleration) {
	if len(list) == 0 {
		d.field(0, "Tolerations", none)
		return
	}
	list = slices.Clone(list)
	sort.SliceStable(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	label := "Tolerations:"
	for i := range list {
		d.line(0, "%s\t%s", label, toleration(&list[i]))
		label = ""
	}
}

func toleration(t *corev1.Toleration) string {
	s := t.Key
	if t.Value != "" {
		s += "=" + t.Value
	}
	if t.Effect != "" {
		s += ":" + string(t.Effect)
	}
	if t.Operator == corev1.TolerationOpExists && t.Value == "" {
		s = strings.TrimPrefix(s+" op=Exists", " ")
	}
	if t.TolerationSeconds != nil {
		s += fmt.Sprintf(" for %ds", *t.TolerationSeconds)
	}
	return s
}

// since is the age of t, as "3m5s".
func (d *printer) since(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(d.now.Sub(t.Time))
}

func stamp(t metav1.Time) string { return t.Format(time.RFC1123Z) }
