package api

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
)

// workloadKinds are the kinds that make pods, those that they are made of, and PodDisruptionBudgets. They print as the API
// server's do (kubernetes pkg/printers/internalversion).
func workloadKinds() []*kind {
	const apps, batch = "apps/v1", "batch/v1"
	return []*kind{
		{resource: "deployments", name: "Deployment", group: apps, short: []string{"deploy"}, all: true, namespaced: true, blank: func() object { return new(appsv1.Deployment) }, columns: deploymentColumns, row: deploymentRow},
		{resource: "replicasets", name: "ReplicaSet", group: apps, short: []string{"rs"}, all: true, namespaced: true, blank: func() object { return new(appsv1.ReplicaSet) }, columns: replicaColumns, row: replicaSetRow},
		{resource: "statefulsets", name: "StatefulSet", group: apps, short: []string{"sts"}, all: true, namespaced: true, blank: func() object { return new(appsv1.StatefulSet) }, columns: statefulSetColumns, row: statefulSetRow},
		{resource: "daemonsets", name: "DaemonSet", group: apps, short: []string{"ds"}, all: true, namespaced: true, blank: func() object { return new(appsv1.DaemonSet) }, columns: daemonSetColumns, row: daemonSetRow},
		{resource: "controllerrevisions", name: "ControllerRevision", group: apps, namespaced: true, blank: func() object { return new(appsv1.ControllerRevision) }, columns: revisionColumns, row: revisionRow},
		{resource: "jobs", name: "Job", group: batch, all: true, namespaced: true, blank: func() object { return new(batchv1.Job) }, columns: jobColumns, row: jobRow},
		{resource: "cronjobs", name: "CronJob", group: batch, short: []string{"cj"}, all: true, namespaced: true, blank: func() object { return new(batchv1.CronJob) }, columns: cronJobColumns, row: cronJobRow},
		{resource: "replicationcontrollers", name: "ReplicationController", short: []string{"rc"}, all: true, namespaced: true, blank: func() object { return new(corev1.ReplicationController) }, columns: replicaColumns, row: replicationControllerRow},
		{resource: "podtemplates", name: "PodTemplate", namespaced: true, blank: func() object { return new(corev1.PodTemplate) }, columns: podTemplateColumns, row: podTemplateRow},
		{resource: "poddisruptionbudgets", name: "PodDisruptionBudget", group: "policy/v1", short: []string{"pdb"}, namespaced: true, blank: func() object { return new(policyv1.PodDisruptionBudget) }, columns: budgetColumns, row: budgetRow},
	}
}

func ageColumn() metav1.TableColumnDefinition {
	return column("Age", "Time since it was made.", 0)
}

// ofTemplate are the columns that -o wide shows of what makes pods.
func ofTemplate() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Containers", "Names of the containers in the template.", onlyWide),
		column("Images", "Images of the containers in the template.", onlyWide),
		column("Selector", "Which pods are its own.", onlyWide),
	}
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

func deploymentColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name of the Deployment.", 0),
		column("Ready", "Pods that are ready, of those that are wanted.", 0),
		column("Up-to-date", "Pods of the present template.", 0),
		column("Available", "Pods that have been ready for minReadySeconds.", 0),
		ageColumn(),
	}, ofTemplate()...)
}

func deploymentRow(o object, now time.Time) metav1.TableRow {
	d := o.(*appsv1.Deployment)
	names, images := templateCells(&d.Spec.Template)
	return metav1.TableRow{Cells: []any{
		d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, count(d.Spec.Replicas)), int64(d.Status.UpdatedReplicas), int64(d.Status.AvailableReplicas),
		since(d.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(d.Spec.Selector),
	}}
}

func replicaColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name.", 0),
		column("Desired", "Pods that are wanted.", 0),
		column("Current", "Pods that there are.", 0),
		column("Ready", "Pods that are ready.", 0),
		ageColumn(),
	}, ofTemplate()...)
}

func replicaSetRow(o object, now time.Time) metav1.TableRow {
	r := o.(*appsv1.ReplicaSet)
	names, images := templateCells(&r.Spec.Template)
	return metav1.TableRow{Cells: []any{
		r.Name, count(r.Spec.Replicas), int64(r.Status.Replicas), int64(r.Status.ReadyReplicas), since(r.CreationTimestamp, now),
		names, images, metav1.FormatLabelSelector(r.Spec.Selector),
	}}
}

func replicationControllerRow(o object, now time.Time) metav1.TableRow {
	r := o.(*corev1.ReplicationController)
	names, images := templateCells(r.Spec.Template)
	return metav1.TableRow{Cells: []any{
		r.Name, count(r.Spec.Replicas), int64(r.Status.Replicas), int64(r.Status.ReadyReplicas), since(r.CreationTimestamp, now),
		names, images, labels.FormatLabels(r.Spec.Selector),
	}}
}

func statefulSetColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name of the StatefulSet.", 0),
		column("Ready", "Pods that are ready, of those that are wanted.", 0),
		ageColumn(),
	}, ofTemplate()[:2]...)
}

func statefulSetRow(o object, now time.Time) metav1.TableRow {
	s := o.(*appsv1.StatefulSet)
	names, images := templateCells(&s.Spec.Template)
	return metav1.TableRow{Cells: []any{
		s.Name, fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, count(s.Spec.Replicas)), since(s.CreationTimestamp, now), names, images,
	}}
}

func daemonSetColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name of the DaemonSet.", 0),
		column("Desired", "1 where the board is one that it asks for.", 0),
		column("Current", "Whether there is a pod.", 0),
		column("Ready", "Whether it is ready.", 0),
		column("Up-to-date", "Whether it is of the present template.", 0),
		column("Available", "Whether it has been ready for minReadySeconds.", 0),
		column("Node Selector", "Labels of the boards that it asks for.", 0),
		ageColumn(),
	}, ofTemplate()...)
}

func daemonSetRow(o object, now time.Time) metav1.TableRow {
	d := o.(*appsv1.DaemonSet)
	s := &d.Status
	names, images := templateCells(&d.Spec.Template)
	return metav1.TableRow{Cells: []any{
		d.Name, int64(s.DesiredNumberScheduled), int64(s.CurrentNumberScheduled), int64(s.NumberReady), int64(s.UpdatedNumberScheduled), int64(s.NumberAvailable),
		labels.FormatLabels(d.Spec.Template.Spec.NodeSelector), since(d.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(d.Spec.Selector),
	}}
}

func revisionColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the ControllerRevision.", 0),
		column("Controller", "Whose revision it is.", 0),
		column("Revision", "Its number.", 0),
		ageColumn(),
	}
}

func revisionRow(o object, now time.Time) metav1.TableRow {
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

func jobColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name of the Job.", 0),
		column("Status", "How far it is.", 0),
		column("Completions", "Pods that have succeeded, of those that are to.", 0),
		column("Duration", "How long it took, or takes.", 0),
		ageColumn(),
	}, ofTemplate()...)
}

func jobRow(o object, now time.Time) metav1.TableRow {
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
	return "Running"
}

func cronJobColumns() []metav1.TableColumnDefinition {
	return append([]metav1.TableColumnDefinition{
		column("Name", "Name of the CronJob.", 0),
		column("Schedule", "When it makes a Job.", 0),
		column("Timezone", "Of the schedule.", 0),
		column("Suspend", "Whether it rests.", 0),
		column("Active", "Jobs that run.", 0),
		column("Last Schedule", "Time since it made a Job.", 0),
		ageColumn(),
	}, ofTemplate()...)
}

func cronJobRow(o object, now time.Time) metav1.TableRow {
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

func podTemplateColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the PodTemplate.", 0),
		column("Containers", "Names of the containers.", 0),
		column("Images", "Images of the containers.", 0),
		column("Pod Labels", "Labels of the pods.", 0),
	}
}

func podTemplateRow(o object, _ time.Time) metav1.TableRow {
	t := o.(*corev1.PodTemplate)
	names, images := templateCells(&t.Template)
	return metav1.TableRow{Cells: []any{t.Name, names, images, labels.FormatLabels(t.Template.Labels)}}
}

func budgetColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		column("Name", "Name of the PodDisruptionBudget.", 0),
		column("Min Available", "How many pods must be available.", 0),
		column("Max Unavailable", "How many pods may be unavailable.", 0),
		column("Allowed Disruptions", "How many pods may be evicted now.", 0),
		ageColumn(),
	}
}

func budgetRow(o object, now time.Time) metav1.TableRow {
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
