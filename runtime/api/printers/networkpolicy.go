package printers

import (
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// NetworkPolicyColumns are the columns of a table of such objects.
func NetworkPolicyColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the NetworkPolicy.", 0},
		{"Pod-Selector", "The pods that it isolates.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// NetworkPolicyRow is the row of one of them.
func NetworkPolicyRow(o hub.Object, now time.Time) metav1.TableRow {
	p := o.(*networkingv1.NetworkPolicy)
	return metav1.TableRow{Cells: []any{p.Name, metav1.FormatLabelSelector(&p.Spec.PodSelector), since(p.CreationTimestamp, now)}}
}
