// Package scheduler says which pods of controllers come onto the board, and why others wait, in the order and the words of
// kube-scheduler for a cluster of one node. It is pure. Pods of the folder are not asked about: they are static pods.
package scheduler

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/manifest/resources"
	"podd/runtime/node"
)

// Board is what the scheduler looks at: the node, and what the pods have of it that are on it.
type Board struct {
	Name          string
	Labels        map[string]string
	Unschedulable bool // cordoned
	Taints        []corev1.Taint
	Allocatable   corev1.ResourceList

	ports []hostPort
	used  corev1.ResourceList
}

// Taints are those of the node: its own, and the one that says that it is cordoned.
func (b *Board) taints() []corev1.Taint {
	if b.Unschedulable {
		return append(slices.Clip(b.Taints), node.Unschedulable())
	}
	return b.Taints
}

// Add takes in a pod that is on the board.
func (b *Board) Add(spec *corev1.PodSpec) {
	b.ports = append(b.ports, hostPorts(spec)...)
	if b.used == nil {
		b.used = corev1.ResourceList{}
	}
	for name, q := range requests(spec) {
		sum := b.used[name]
		sum.Add(q)
		b.used[name] = sum
	}
}

// Refuse is the sentence why a pod cannot come onto the board now; "": it can. As with a scheduler the first filter that
// refuses is the one that speaks.
// https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
func (b *Board) Refuse(spec *corev1.PodSpec) string {
	taints := b.taints()
	switch {
	case b.Unschedulable && !tolerates(spec.Tolerations, node.Unschedulable()):
		return sentence("node(s) were unschedulable")
	case slices.ContainsFunc(taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(spec.Tolerations, t)
	}):
		return sentence("node(s) had untolerated taint(s)")
	case !node.Fits(spec, b.Name, b.Labels):
		return NotSelected
	case slices.ContainsFunc(hostPorts(spec), b.taken):
		return sentence("node(s) didn't have free ports for the requested pod ports")
	}
	return b.lacks(spec, func(corev1.ResourceName) bool { return true })
}

// LacksHugePages is the sentence about a pod that asks for more huge pages than are left; "": there are enough.
func (b *Board) LacksHugePages(spec *corev1.PodSpec) string {
	return b.lacks(spec, resources.IsHugePages)
}

// AsksHugePages says whether a pod asks for huge pages.
func AsksHugePages(spec *corev1.PodSpec) bool {
	for name, q := range requests(spec) {
		if resources.IsHugePages(name) && q.Sign() > 0 {
			return true
		}
	}
	return false
}

func (b *Board) lacks(spec *corev1.PodSpec, counts func(corev1.ResourceName) bool) string {
	var lacks []string
	for name, q := range requests(spec) {
		if left := b.left(name); counts(name) && q.Sign() > 0 && q.Cmp(left) > 0 {
			lacks = append(lacks, "Insufficient "+string(name))
		}
	}
	slices.Sort(lacks)
	return sentence(lacks...)
}

// NotSelected is the sentence about a pod whose nodeSelector or node affinity is not of this board.
const NotSelected = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."

func sentence(reasons ...string) string {
	if len(reasons) == 0 {
		return ""
	}
	return "0/1 nodes are available: 1 " + strings.Join(reasons, ", 1 ") + "."
}

func (b *Board) left(name corev1.ResourceName) resource.Quantity {
	left := b.Allocatable[name].DeepCopy()
	left.Sub(b.used[name])
	return left
}

func requests(spec *corev1.PodSpec) corev1.ResourceList {
	list, _ := resources.Totals(spec)
	return list
}

// tolerates says whether one of these tolerations is of the taint.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
func tolerates(list []corev1.Toleration, taint corev1.Taint) bool {
	return slices.ContainsFunc(list, func(t corev1.Toleration) bool {
		switch {
		case t.Effect != "" && t.Effect != taint.Effect, t.Key != "" && t.Key != taint.Key:
			return false
		case t.Operator == corev1.TolerationOpExists:
			return true
		}
		return (t.Operator == "" || t.Operator == corev1.TolerationOpEqual) && t.Key != "" && t.Value == taint.Value
	})
}

// hostPort is a port of the board that a pod has for itself.
type hostPort struct {
	ip, protocol string
	port         int32
}

// taken says whether a pod on the board has a port already; one of all addresses stands against each.
func (b *Board) taken(p hostPort) bool {
	return slices.ContainsFunc(b.ports, func(o hostPort) bool {
		return o.port == p.port && o.protocol == p.protocol && (o.ip == p.ip || o.ip == anyAddress || p.ip == anyAddress)
	})
}

const anyAddress = "0.0.0.0"

// hostPorts are those of the containers that run on: the main ones and sidecars.
func hostPorts(spec *corev1.PodSpec) []hostPort {
	var list []hostPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			h := hostPort{p.HostIP, string(p.Protocol), p.HostPort}
			if h.ip == "" || h.ip == "::" {
				h.ip = anyAddress
			}
			if h.protocol == "" {
				h.protocol = string(corev1.ProtocolTCP)
			}
			if h.port > 0 {
				list = append(list, h)
			}
		}
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	for i := range spec.Containers {
		add(&spec.Containers[i])
	}
	return list
}
