package printers

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/duration"

	"podd/runtime/api/hub"
)

var age = column{"Age", "Time since it was made.", 0}

// ofTemplate are the columns that -o wide shows of what makes pods.
var ofTemplate = []column{
	{"Containers", "Names of the containers in the template.", onlyWide},
	{"Images", "Images of the containers in the template.", onlyWide},
	{"Selector", "Which pods are its own.", onlyWide},
}

func templateCells(t *corev1.PodTemplateSpec) (names, images string) {
	if t == nil {
		return "", ""
	}
	var n, i []string
	for _, c := range t.Spec.Containers {
		n, i = append(n, c.Name), append(i, c.Image)
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}

func count(n *int32) int64 {
	if n == nil {
		return 0
	}
	return int64(*n)
}

// DeploymentColumns are the columns of a table of such objects.
func DeploymentColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the Deployment.", 0},
		{"Ready", "Pods that are ready, of those that are wanted.", 0},
		{"Up-to-date", "Pods of the present template.", 0},
		{"Available", "Pods that have been ready for minReadySeconds.", 0},
		age,
	}, ofTemplate)
}

// DeploymentRow is the row of one of them.
func DeploymentRow(o hub.Object, now time.Time) metav1.TableRow {
	d := o.(*appsv1.Deployment)
	names, images := templateCells(&d.Spec.Template)
	return metav1.TableRow{Cells: []any{
		d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, count(d.Spec.Replicas)), int64(d.Status.UpdatedReplicas), int64(d.Status.AvailableReplicas),
		since(d.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(d.Spec.Selector),
	}}
}

// ReplicaColumns are the columns of a table of such objects.
func ReplicaColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name.", 0},
		{"Desired", "Pods that are wanted.", 0},
		{"Current", "Pods that there are.", 0},
		{"Ready", "Pods that are ready.", 0},
		age,
	}, ofTemplate)
}

// ReplicaSetRow is the row of one of them.
func ReplicaSetRow(o hub.Object, now time.Time) metav1.TableRow {
	r := o.(*appsv1.ReplicaSet)
	names, images := templateCells(&r.Spec.Template)
	return metav1.TableRow{Cells: []any{
		r.Name, count(r.Spec.Replicas), int64(r.Status.Replicas), int64(r.Status.ReadyReplicas), since(r.CreationTimestamp, now),
		names, images, metav1.FormatLabelSelector(r.Spec.Selector),
	}}
}

// ReplicationControllerRow is the row of one of them.
func ReplicationControllerRow(o hub.Object, now time.Time) metav1.TableRow {
	r := o.(*corev1.ReplicationController)
	names, images := templateCells(r.Spec.Template)
	return metav1.TableRow{Cells: []any{
		r.Name, count(r.Spec.Replicas), int64(r.Status.Replicas), int64(r.Status.ReadyReplicas), since(r.CreationTimestamp, now),
		names, images, labels.FormatLabels(r.Spec.Selector),
	}}
}

// StatefulSetColumns are the columns of a table of such objects.
func StatefulSetColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the StatefulSet.", 0},
		{"Ready", "Pods that are ready, of those that are wanted.", 0},
		age,
	}, ofTemplate[:2])
}

// StatefulSetRow is the row of one of them.
func StatefulSetRow(o hub.Object, now time.Time) metav1.TableRow {
	s := o.(*appsv1.StatefulSet)
	names, images := templateCells(&s.Spec.Template)
	return metav1.TableRow{Cells: []any{
		s.Name, fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, count(s.Spec.Replicas)), since(s.CreationTimestamp, now), names, images,
	}}
}

// DaemonSetColumns are the columns of a table of such objects.
func DaemonSetColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the DaemonSet.", 0},
		{"Desired", "1 where the board is one that it asks for.", 0},
		{"Current", "Whether there is a pod.", 0},
		{"Ready", "Whether it is ready.", 0},
		{"Up-to-date", "Whether it is of the present template.", 0},
		{"Available", "Whether it has been ready for minReadySeconds.", 0},
		{"Node Selector", "Labels of the boards that it asks for.", 0},
		age,
	}, ofTemplate)
}

// DaemonSetRow is the row of one of them.
func DaemonSetRow(o hub.Object, now time.Time) metav1.TableRow {
	d := o.(*appsv1.DaemonSet)
	s := &d.Status
	names, images := templateCells(&d.Spec.Template)
	return metav1.TableRow{Cells: []any{
		d.Name, int64(s.DesiredNumberScheduled), int64(s.CurrentNumberScheduled), int64(s.NumberReady), int64(s.UpdatedNumberScheduled), int64(s.NumberAvailable),
		labels.FormatLabels(d.Spec.Template.Spec.NodeSelector), since(d.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(d.Spec.Selector),
	}}
}

// RevisionColumns are the columns of a table of such objects.
func RevisionColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the ControllerRevision.", 0},
		{"Controller", "Whose revision it is.", 0},
		{"Revision", "Its number.", 0},
		age,
	})
}

// RevisionRow is the row of one of them.
func RevisionRow(o hub.Object, now time.Time) metav1.TableRow {
	r := o.(*appsv1.ControllerRevision)
	return metav1.TableRow{Cells: []any{r.Name, orNone(controllerName(r)), r.Revision, since(r.CreationTimestamp, now)}}
}

// controllerName is the controller of an object as kubectl names it: statefulset.apps/web.
func controllerName(o metav1.Object) string {
	ref := metav1.GetControllerOfNoCopy(o)
	if ref == nil {
		return ""
	}
	group, _, grouped := strings.Cut(ref.APIVersion, "/")
	if grouped {
		return strings.ToLower(ref.Kind) + "." + group + "/" + ref.Name
	}
	return strings.ToLower(ref.Kind) + "/" + ref.Name
}

// JobColumns are the columns of a table of such objects.
func JobColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the Job.", 0},
		{"Status", "How far it is.", 0},
		{"Completions", "Pods that have succeeded, of those that are to.", 0},
		{"Duration", "How long it took, or takes.", 0},
		age,
	}, ofTemplate)
}

// JobRow is the row of one of them.
func JobRow(o hub.Object, now time.Time) metav1.TableRow {
	j := o.(*batchv1.Job)
	took := ""
	switch s := &j.Status; {
	case s.StartTime == nil:
	case s.CompletionTime == nil:
		took = duration.HumanDuration(now.Sub(s.StartTime.Time))
	default:
		took = duration.HumanDuration(s.CompletionTime.Sub(s.StartTime.Time))
	}
	names, images := templateCells(&j.Spec.Template)
	return metav1.TableRow{Cells: []any{
		j.Name, jobState(j), jobCompletions(j), took, since(j.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(j.Spec.Selector),
	}}
}

func jobCompletions(j *batchv1.Job) string {
	switch {
	case j.Spec.Completions != nil:
		return fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	case count(j.Spec.Parallelism) > 1:
		return fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, *j.Spec.Parallelism)
	}
	return fmt.Sprintf("%d/1", j.Status.Succeeded)
}

// jobState is the condition that says most.
func jobState(j *batchv1.Job) string {
	for _, typ := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed, batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet} {
		for _, c := range j.Status.Conditions {
			if c.Type == typ && c.Status == corev1.ConditionTrue {
				return string(typ)
			}
		}
	}
	if len(j.Spec.Template.Spec.Containers) == 0 {
		return none // it stands for a document that was refused
	}
	return "Running"
}

// CronJobColumns are the columns of a table of such objects.
func CronJobColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the CronJob.", 0},
		{"Schedule", "When it makes a Job.", 0},
		{"Timezone", "Of the schedule.", 0},
		{"Suspend", "Whether it rests.", 0},
		{"Active", "Jobs that run.", 0},
		{"Last Schedule", "Time since it made a Job.", 0},
		age,
	}, ofTemplate)
}

// CronJobRow is the row of one of them.
func CronJobRow(o hub.Object, now time.Time) metav1.TableRow {
	c := o.(*batchv1.CronJob)
	last, zone, suspended := none, none, false
	if t := c.Status.LastScheduleTime; t != nil {
		last = since(*t, now)
	}
	if c.Spec.TimeZone != nil {
		zone = *c.Spec.TimeZone
	}
	if c.Spec.Suspend != nil {
		suspended = *c.Spec.Suspend
	}
	word := "False"
	if suspended {
		word = "True"
	}
	names, images := templateCells(&c.Spec.JobTemplate.Spec.Template)
	return metav1.TableRow{Cells: []any{
		c.Name, c.Spec.Schedule, zone, word, int64(len(c.Status.Active)), last, since(c.CreationTimestamp, now),
		names, images, metav1.FormatLabelSelector(c.Spec.JobTemplate.Spec.Selector),
	}}
}

// PodTemplateColumns are the columns of a table of such objects.
func PodTemplateColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the PodTemplate.", 0},
		{"Containers", "Names of the containers.", 0},
		{"Images", "Images of the containers.", 0},
		{"Pod Labels", "Labels of the pods.", 0},
	})
}

// PodTemplateRow is the row of one of them.
func PodTemplateRow(o hub.Object, _ time.Time) metav1.TableRow {
	t := o.(*corev1.PodTemplate)
	names, images := templateCells(&t.Template)
	return metav1.TableRow{Cells: []any{t.Name, names, images, labels.FormatLabels(t.Template.Labels)}}
}

// BudgetColumns are the columns of a table of such objects.
func BudgetColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the PodDisruptionBudget.", 0},
		{"Min Available", "How many pods must be available.", 0},
		{"Max Unavailable", "How many pods may be unavailable.", 0},
		{"Allowed Disruptions", "How many pods may be evicted now.", 0},
		age,
	})
}

// BudgetRow is the row of one of them.
func BudgetRow(o hub.Object, now time.Time) metav1.TableRow {
	b := o.(*policyv1.PodDisruptionBudget)
	least, most := "N/A", "N/A"
	if b.Spec.MinAvailable != nil {
		least = b.Spec.MinAvailable.String()
	}
	if b.Spec.MaxUnavailable != nil {
		most = b.Spec.MaxUnavailable.String()
	}
	return metav1.TableRow{Cells: []any{b.Name, least, most, int64(b.Status.DisruptionsAllowed), since(b.CreationTimestamp, now)}}
}
