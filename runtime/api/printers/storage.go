package printers

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// ClaimColumns are the columns of a table of such objects.
func ClaimColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the claim.", 0},
		{"Status", "Bound or Pending.", 0},
		{"Volume", "What it is bound to.", 0},
		{"Capacity", "How much it may hold.", 0},
		{"Access Modes", "Who may use it.", 0},
		{"StorageClass", "Its class.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// ClaimRow is the row of one of them.
func ClaimRow(o hub.Object, now time.Time) metav1.TableRow {
	c := o.(*corev1.PersistentVolumeClaim)
	class := ""
	if c.Spec.StorageClassName != nil {
		class = *c.Spec.StorageClassName
	}
	return metav1.TableRow{Cells: []any{
		c.Name, string(c.Status.Phase), c.Spec.VolumeName, storageOf(c.Status.Capacity), shortModes(c.Status.AccessModes), class, since(c.CreationTimestamp, now),
	}}
}

// VolumeColumns are the columns of a table of such objects.
func VolumeColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the volume.", 0},
		{"Capacity", "How much it holds.", 0},
		{"Access Modes", "Who may use it.", 0},
		{"Reclaim Policy", "What becomes of it when its claim goes.", 0},
		{"Status", "Available, Bound or Released.", 0},
		{"Claim", "The claim that has it.", 0},
		{"StorageClass", "Its class.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// VolumeRow is the row of one of them.
func VolumeRow(o hub.Object, now time.Time) metav1.TableRow {
	v := o.(*corev1.PersistentVolume)
	claim := ""
	if ref := v.Spec.ClaimRef; ref != nil {
		claim = ref.Namespace + "/" + ref.Name
	}
	return metav1.TableRow{Cells: []any{
		v.Name, storageOf(v.Spec.Capacity), shortModes(v.Spec.AccessModes), string(v.Spec.PersistentVolumeReclaimPolicy), string(v.Status.Phase),
		claim, v.Spec.StorageClassName, since(v.CreationTimestamp, now),
	}}
}

// ClassColumns are the columns of a table of such objects.
func ClassColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the class.", 0},
		{"Provisioner", "Who makes its volumes.", 0},
		{"ReclaimPolicy", "What becomes of them when their claims go.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
	})
}

// ClassRow is the row of one of them.
func ClassRow(o hub.Object, now time.Time) metav1.TableRow {
	c := o.(*storagev1.StorageClass)
	policy := ""
	if c.ReclaimPolicy != nil {
		policy = string(*c.ReclaimPolicy)
	}
	return metav1.TableRow{Cells: []any{c.Name, c.Provisioner, policy, since(c.CreationTimestamp, now)}}
}

func storageOf(list corev1.ResourceList) string {
	q, ok := list[corev1.ResourceStorage]
	if !ok {
		return ""
	}
	return q.String()
}

// shortModes writes access modes as kubectl does.
func shortModes(modes []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, m := range modes {
		switch m {
		case corev1.ReadWriteOnce:
			out = append(out, "RWO")
		case corev1.ReadOnlyMany:
			out = append(out, "ROX")
		case corev1.ReadWriteMany:
			out = append(out, "RWX")
		case corev1.ReadWriteOncePod:
			out = append(out, "RWOP")
		}
	}
	return strings.Join(out, ",")
}
