package printers

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// PodColumns are the columns of a table of such objects.
func PodColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the pod.", 0},
		{"Ready", "Containers that are ready, of all.", 0},
		{"Status", "What the pod is doing, or why it is not.", 0},
		{"Restarts", "How often its containers were restarted, and when last.", 0},
		{"Age", "Time since the pod was created.", 0},
		{"IP", "Address of the pod.", onlyWide},
		{"Node", "Machine that the pod runs on.", onlyWide},
		{"Nominated Node", "Machine that the pod will run on.", onlyWide},
		{"Readiness Gates", "Conditions that the pod waits for before it is ready.", onlyWide},
	})
}

// PodRow is the row of one of them.
func PodRow(o hub.Object, now time.Time) metav1.TableRow {
	p := o.(*corev1.Pod)
	s := summarize(p)
	restarts := strconv.Itoa(s.restarts)
	if s.restarts != 0 && !s.restarted.IsZero() {
		restarts += " (" + since(s.restarted, now) + " ago)"
	}
	ip := ""
	if len(p.Status.PodIPs) > 0 {
		ip = p.Status.PodIPs[0].IP
	}
	return metav1.TableRow{
		Conditions: podRowConditions(p),
		Cells: []any{
			p.Name, fmt.Sprintf("%d/%d", s.ready, s.total), s.reason, restarts, since(p.CreationTimestamp, now),
			orNone(ip), orNone(p.Spec.NodeName), orNone(p.Status.NominatedNodeName), readinessGates(p),
		},
	}
}

// podRowConditions lets clients grey out what has ended.
func podRowConditions(p *corev1.Pod) []metav1.TableRowCondition {
	c := metav1.TableRowCondition{Type: metav1.RowCompleted, Status: metav1.ConditionTrue, Reason: string(p.Status.Phase)}
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		c.Message = "The pod has completed successfully."
	case corev1.PodFailed:
		c.Message = "The pod failed."
	default:
		return nil
	}
	return []metav1.TableRowCondition{c}
}

// readinessGates counts the gates whose condition is true.
func readinessGates(p *corev1.Pod) string {
	gates := p.Spec.ReadinessGates
	if len(gates) == 0 {
		return none
	}
	met := 0
	for _, g := range gates {
		if hasCondition(p, g.ConditionType) {
			met++
		}
	}
	return fmt.Sprintf("%d/%d", met, len(gates))
}

func hasCondition(p *corev1.Pod, t corev1.PodConditionType) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == t && c.Status == corev1.ConditionTrue
	})
}
