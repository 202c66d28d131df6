package annotation

import (
	"maps"
	"reflect"
	"strings"

	"podd/internal/objectmeta"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ManifestAccepted is podd's own condition: False while an object's file holds something that cannot be taken. What is
	// shown is the last good version of it or, where there was none, stands for the document that was refused.
	ManifestAccepted = "podd.dev/ManifestAccepted"
	// ProblemKey has the reason and the sentence on objects whose status has no conditions (CronJobs).
	ProblemKey = "podd.dev/manifest-problem"
)

// SetProblem says on an object that is shown why its file was not taken, and since when. What the object shares with others
// is left as it is.
func SetProblem(o metav1.Object, reason, message string, since metav1.Time) {
	list := conditions(o)
	if !list.IsValid() {
		all := maps.Clone(o.GetAnnotations())
		if all == nil {
			all = map[string]string{}
		}
		all[ProblemKey] = reason + ": " + message
		objectmeta.Of(o).Annotations = all
		return
	}
	c := reflect.New(list.Type().Elem()).Elem()
	for field, value := range map[string]string{"Type": ManifestAccepted, "Status": string(corev1.ConditionFalse), "Reason": reason, "Message": message} {
		c.FieldByName(field).SetString(value)
	}
	if at := c.FieldByName("LastTransitionTime"); at.IsValid() {
		at.Set(reflect.ValueOf(since))
	}
	list.Set(reflect.Append(list.Slice3(0, list.Len(), list.Len()), c))
}

// ProblemOf reads what SetProblem says; "": the object's file is good.
func ProblemOf(o metav1.Object) (reason, message string) {
	list := conditions(o)
	if !list.IsValid() {
		reason, message, _ = strings.Cut(o.GetAnnotations()[ProblemKey], ": ")
		return reason, message
	}
	for i := range list.Len() {
		c := list.Index(i)
		if c.FieldByName("Type").String() == ManifestAccepted && c.FieldByName("Status").String() == string(corev1.ConditionFalse) {
			return c.FieldByName("Reason").String(), c.FieldByName("Message").String()
		}
	}
	return "", ""
}

// conditions are those of an object's status, invalid if its kind has none.
func conditions(o metav1.Object) reflect.Value {
	v := reflect.Indirect(reflect.ValueOf(o))
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	status := v.FieldByName("Status")
	if !status.IsValid() || status.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	list := status.FieldByName("Conditions")
	if !list.IsValid() || list.Kind() != reflect.Slice || list.Type().Elem().Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return list
}

// DropProblem takes away the annotation that SetProblem adds: a manifest that was made of what is shown has it.
func DropProblem(m *metav1.ObjectMeta) {
	if _, ok := m.Annotations[ProblemKey]; !ok {
		return
	}
	m.Annotations = maps.Clone(m.Annotations)
	delete(m.Annotations, ProblemKey)
	if len(m.Annotations) == 0 {
		m.Annotations = nil
	}
}
