package printers

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

const nodeRolePrefix = "node-role.kubernetes.io/"

// NodeColumns are the columns of a table of such objects.
func NodeColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the machine.", 0},
		{"Status", "Whether it can run pods.", 0},
		{"Roles", "What it is for.", 0},
		{"Age", "Time since it was created.", 0},
		{"Version", "Version of podd on it.", 0},
		{"Internal-IP", "Its address inside.", onlyWide},
		{"External-IP", "Its address outside.", onlyWide},
		{"OS-Image", "Its operating system.", onlyWide},
		{"Kernel-Version", "Its kernel, and for which processors.", onlyWide},
		{"Container-Runtime", "What runs its containers.", onlyWide},
	})
}

// NodeRow is the row of one of them.
func NodeRow(o hub.Object, now time.Time) metav1.TableRow {
	n := o.(*corev1.Node)
	info := &n.Status.NodeInfo
	kernel := orUnknown(info.KernelVersion)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return metav1.TableRow{Cells: []any{
		n.Name, nodeStatus(n), nodeRoles(n), since(n.CreationTimestamp, now), info.KubeletVersion,
		nodeAddress(n, corev1.NodeInternalIP), nodeAddress(n, corev1.NodeExternalIP),
		orUnknown(info.OSImage), kernel, orUnknown(info.ContainerRuntimeVersion),
	}}
}

func nodeStatus(n *corev1.Node) string {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		status = "NotReady"
		if c.Status == corev1.ConditionTrue {
			status = "Ready"
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	return status
}

func nodeRoles(n *corev1.Node) string {
	var roles []string
	for k, v := range n.Labels {
		if role, ok := strings.CutPrefix(k, nodeRolePrefix); ok && role != "" {
			roles = append(roles, role)
		} else if k == "kubernetes.io/role" && v != "" {
			roles = append(roles, v)
		}
	}
	slices.Sort(roles)
	return orNone(strings.Join(slices.Compact(roles), ","))
}

func nodeAddress(n *corev1.Node, t corev1.NodeAddressType) string {
	for _, a := range n.Status.Addresses {
		if a.Type == t {
			return a.Address
		}
	}
	return none
}

// NamespaceColumns are the columns of a table of such objects.
func NamespaceColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the namespace.", 0},
		{"Status", "Active, always.", 0},
		{"Age", "Time since this machine was created.", 0},
	})
}

// NamespaceRow is the row of one of them.
func NamespaceRow(o hub.Object, now time.Time) metav1.TableRow {
	n := o.(*corev1.Namespace)
	return metav1.TableRow{Cells: []any{n.Name, string(n.Status.Phase), since(n.CreationTimestamp, now)}}
}

// RuntimeClassColumns are the columns of a table of such objects.
func RuntimeClassColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the class.", 0},
		{"Handler", "The runtime handler of its pods.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// RuntimeClassRow is the row of one of them.
func RuntimeClassRow(o hub.Object, now time.Time) metav1.TableRow {
	c := o.(*nodev1.RuntimeClass)
	return metav1.TableRow{Cells: []any{c.Name, c.Handler, since(c.CreationTimestamp, now)}}
}
