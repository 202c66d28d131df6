package printers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// ConfigMapColumns are the columns of a table of such objects.
func ConfigMapColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the ConfigMap.", 0},
		{"Data", "How many keys it has.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// ConfigMapRow is the row of one of them.
func ConfigMapRow(o hub.Object, now time.Time) metav1.TableRow {
	c := o.(*corev1.ConfigMap)
	return metav1.TableRow{Cells: []any{c.Name, len(c.Data) + len(c.BinaryData), since(c.CreationTimestamp, now)}}
}

// SecretColumns are the columns of a table of such objects.
func SecretColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the Secret.", 0},
		{"Type", "What it is for.", 0},
		{"Data", "How many keys it has.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// SecretRow is the row of one of them.
func SecretRow(o hub.Object, now time.Time) metav1.TableRow {
	s := o.(*corev1.Secret)
	return metav1.TableRow{Cells: []any{s.Name, string(s.Type), len(s.Data), since(s.CreationTimestamp, now)}}
}

// ServiceAccountColumns are the columns of a table of such objects.
func ServiceAccountColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the ServiceAccount.", 0},
		{"Secrets", "How many Secrets it lists.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// ServiceAccountRow is the row of one of them.
func ServiceAccountRow(o hub.Object, now time.Time) metav1.TableRow {
	s := o.(*corev1.ServiceAccount)
	return metav1.TableRow{Cells: []any{s.Name, len(s.Secrets), since(s.CreationTimestamp, now)}}
}
