package api

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func blankConfigMap() object      { return new(corev1.ConfigMap) }
func blankSecret() object         { return new(corev1.Secret) }
func blankServiceAccount() object { return new(corev1.ServiceAccount) }

func configMapColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the ConfigMap.", 0),
		column("Data", "How many keys it has.", 0),
		column("Age", "Time since its manifest was first seen.", 0),
	}
}

func configMapRow(o object, now time.Time) metav1.TableRow {
	c := o.(*corev1.ConfigMap)
	return metav1.TableRow{Cells: []any{c.Name, len(c.Data) + len(c.BinaryData), since(c.CreationTimestamp, now)}}
}

func secretColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the Secret.", 0),
		column("Type", "What it is for.", 0),
		column("Data", "How many keys it has.", 0),
		column("Age", "Time since its manifest was first seen.", 0),
	}
}

func secretRow(o object, now time.Time) metav1.TableRow {
	s := o.(*corev1.Secret)
	return metav1.TableRow{Cells: []any{s.Name, string(s.Type), len(s.Data), since(s.CreationTimestamp, now)}}
}

func serviceAccountColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the ServiceAccount.", 0),
		column("Secrets", "How many Secrets it lists.", 0),
		column("Age", "Time since its manifest was first seen.", 0),
	}
}

func serviceAccountRow(o object, now time.Time) metav1.TableRow {
	s := o.(*corev1.ServiceAccount)
	return metav1.TableRow{Cells: []any{s.Name, len(s.Secrets), since(s.CreationTimestamp, now)}}
}
