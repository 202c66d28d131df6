package describe

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"text/tabwriter"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"podd/internal/objectmeta"
	"podd/runtime/manifest/annotation"
)

// Knows says whether Workload describes objects of a kind.
func Knows(kind string) bool { return blank(kind) != nil }

func blank(kind string) metav1.Object {
	switch kind {
	case "Deployment":
		return new(appsv1.Deployment)
	case "ReplicaSet":
		return new(appsv1.ReplicaSet)
	case "StatefulSet":
		return new(appsv1.StatefulSet)
	case "DaemonSet":
		return new(appsv1.DaemonSet)
	case "Job":
		return new(batchv1.Job)
	case "CronJob":
		return new(batchv1.CronJob)
	case "ReplicationController":
		return new(corev1.ReplicationController)
	case "PodDisruptionBudget":
		return new(policyv1.PodDisruptionBudget)
	}
	return nil
}

// Workload prints an object of a kind that Knows, given as JSON, with its events.
func Workload(w io.Writer, kind string, data []byte, events func(name string) ([]corev1.Event, error), now time.Time) error {
	o := blank(kind)
	if err := json.Unmarshal(data, o); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	d := &printer{w: tw, now: now}
	d.field(0, "Name", o.GetName())
	d.field(0, "Namespace", o.GetNamespace())
	d.field(0, "CreationTimestamp", objectmeta.Of(o).CreationTimestamp.Format(time.RFC1123Z))
	d.pairs("Labels", o.GetLabels(), "=")
	annotations := maps.Clone(o.GetAnnotations())
	delete(annotations, annotation.ProblemKey) // the message below says it
	d.pairs("Annotations", annotations, ": ")
	if ref := metav1.GetControllerOfNoCopy(o); ref != nil {
		d.field(0, "Controlled By", ref.Kind+"/"+ref.Name)
	}
	d.manifest(o)
	switch o := o.(type) {
	case *appsv1.Deployment:
		d.deployment(o)
	case *appsv1.ReplicaSet:
		d.selector(o.Spec.Selector)
		d.field(0, "Replicas", fmt.Sprintf("%d current / %d desired", o.Status.Replicas, number(o.Spec.Replicas)))
		d.template(&o.Spec.Template)
	case *corev1.ReplicationController:
		d.field(0, "Selector", labels.FormatLabels(o.Spec.Selector))
		d.field(0, "Replicas", fmt.Sprintf("%d current / %d desired", o.Status.Replicas, number(o.Spec.Replicas)))
		d.template(o.Spec.Template)
	case *appsv1.StatefulSet:
		d.statefulSet(o)
	case *appsv1.DaemonSet:
		d.daemonSet(o)
	case *batchv1.Job:
		d.job(o)
	case *batchv1.CronJob:
		d.cronJob(o)
	case *policyv1.PodDisruptionBudget:
		d.budget(o)
	}
	d.table(data)
	list, err := events(o.GetName())
	if err != nil {
		return err
	}
	d.events(list)
	return tw.Flush()
}

// Template prints the pods that a workload makes.
func Template(w io.Writer, t *corev1.PodTemplateSpec) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	(&printer{w: tw}).template(t)
	return tw.Flush()
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

func (d *printer) selector(s *metav1.LabelSelector) {
	d.field(0, "Selector", metav1.FormatLabelSelector(s))
}

// template prints the pods that a workload makes.
func (d *printer) template(t *corev1.PodTemplateSpec) {
	if t == nil {
		return
	}
	d.line(0, "Pod Template:")
	d.base++
	defer func() { d.base-- }()
	d.pairs("Labels", t.Labels, "=")
	if len(t.Annotations) > 0 {
		d.pairs("Annotations", t.Annotations, ": ")
	}
	d.optional("Service Account", t.Spec.ServiceAccountName)
	pod := &corev1.Pod{Spec: t.Spec}
	d.containers("Init Containers", pod, t.Spec.InitContainers, nil)
	d.containers("Containers", pod, t.Spec.Containers, nil)
	d.volumes(t.Spec.Volumes)
	d.pairs("Node-Selectors", t.Spec.NodeSelector, "=")
	d.tolerations(t.Spec.Tolerations)
}

// table prints the conditions of an object given as JSON, which all kinds that have them spell alike.
func (d *printer) table(data []byte) {
	var o struct {
		Status struct {
			Conditions []struct{ Type, Status, Reason string }
		}
	}
	if json.Unmarshal(data, &o) != nil || len(o.Status.Conditions) == 0 {
		return
	}
	d.line(0, "Conditions:")
	d.line(1, "Type\tStatus\tReason")
	d.line(1, "----\t------\t------")
	for _, c := range o.Status.Conditions {
		d.line(1, "%s\t%s\t%s", c.Type, c.Status, c.Reason)
	}
}

func (d *printer) deployment(o *appsv1.Deployment) {
	d.selector(o.Spec.Selector)
	s := &o.Status
	d.field(0, "Replicas", fmt.Sprintf("%d desired | %d updated | %d total | %d available | %d unavailable",
		number(o.Spec.Replicas), s.UpdatedReplicas, s.Replicas, s.AvailableReplicas, s.UnavailableReplicas))
	d.field(0, "StrategyType", string(o.Spec.Strategy.Type))
	d.field(0, "MinReadySeconds", fmt.Sprint(o.Spec.MinReadySeconds))
	if u := o.Spec.Strategy.RollingUpdate; u != nil && u.MaxUnavailable != nil && u.MaxSurge != nil {
		d.field(0, "RollingUpdateStrategy", fmt.Sprintf("%s max unavailable, %s max surge", u.MaxUnavailable, u.MaxSurge))
	}
	if o.Spec.Paused {
		d.field(0, "Paused", "true")
	}
	d.template(&o.Spec.Template)
}

func (d *printer) statefulSet(o *appsv1.StatefulSet) {
	d.selector(o.Spec.Selector)
	d.field(0, "Replicas", fmt.Sprintf("%d desired | %d total", number(o.Spec.Replicas), o.Status.Replicas))
	d.field(0, "Update Strategy", string(o.Spec.UpdateStrategy.Type))
	if u := o.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil {
		d.line(1, "Partition:\t%d", *u.Partition)
	}
	d.field(0, "Pods Status", fmt.Sprintf("%d Ready / %d Current / %d Updated", o.Status.ReadyReplicas, o.Status.CurrentReplicas, o.Status.UpdatedReplicas))
	d.template(&o.Spec.Template)
	for i := range o.Spec.VolumeClaimTemplates {
		c := &o.Spec.VolumeClaimTemplates[i]
		if i == 0 {
			d.line(0, "Volume Claims:")
		}
		d.line(1, "Name:\t%s", c.Name)
		d.line(1, "Capacity:\t%s", c.Spec.Resources.Requests.Storage())
	}
}

func (d *printer) daemonSet(o *appsv1.DaemonSet) {
	d.selector(o.Spec.Selector)
	d.pairs("Node-Selector", o.Spec.Template.Spec.NodeSelector, "=")
	s := &o.Status
	d.field(0, "Desired Number of Nodes Scheduled", fmt.Sprint(s.DesiredNumberScheduled))
	d.field(0, "Current Number of Nodes Scheduled", fmt.Sprint(s.CurrentNumberScheduled))
	d.field(0, "Number of Nodes Scheduled with Up-to-date Pods", fmt.Sprint(s.UpdatedNumberScheduled))
	d.field(0, "Number of Nodes Scheduled with Available Pods", fmt.Sprint(s.NumberAvailable))
	d.field(0, "Number of Nodes Misscheduled", fmt.Sprint(s.NumberMisscheduled))
	d.template(&o.Spec.Template)
}

func (d *printer) job(o *batchv1.Job) {
	d.selector(o.Spec.Selector)
	d.field(0, "Parallelism", fmt.Sprint(number(o.Spec.Parallelism)))
	completions := "<unset>"
	if o.Spec.Completions != nil {
		completions = fmt.Sprint(*o.Spec.Completions)
	}
	d.field(0, "Completions", completions)
	if o.Spec.CompletionMode != nil {
		d.field(0, "Completion Mode", string(*o.Spec.CompletionMode))
	}
	d.field(0, "Suspend", fmt.Sprint(o.Spec.Suspend != nil && *o.Spec.Suspend))
	d.field(0, "Backoff Limit", fmt.Sprint(number(o.Spec.BackoffLimit)))
	if t := o.Status.StartTime; t != nil {
		d.field(0, "Start Time", t.Format(time.RFC1123Z))
	}
	if t := o.Status.CompletionTime; t != nil {
		d.field(0, "Completed At", t.Format(time.RFC1123Z))
	}
	d.field(0, "Pods Statuses", fmt.Sprintf("%d Active / %d Succeeded / %d Failed", o.Status.Active, o.Status.Succeeded, o.Status.Failed))
	if o.Status.CompletedIndexes != "" {
		d.field(0, "Completed Indexes", o.Status.CompletedIndexes)
	}
	d.template(&o.Spec.Template)
}

func (d *printer) cronJob(o *batchv1.CronJob) {
	d.field(0, "Schedule", o.Spec.Schedule)
	if o.Spec.TimeZone != nil {
		d.field(0, "Time Zone", *o.Spec.TimeZone)
	}
	d.field(0, "Concurrency Policy", string(o.Spec.ConcurrencyPolicy))
	d.field(0, "Suspend", fmt.Sprint(o.Spec.Suspend != nil && *o.Spec.Suspend))
	d.field(0, "Successful Job History Limit", fmt.Sprint(number(o.Spec.SuccessfulJobsHistoryLimit)))
	d.field(0, "Failed Job History Limit", fmt.Sprint(number(o.Spec.FailedJobsHistoryLimit)))
	deadline := "<unset>"
	if o.Spec.StartingDeadlineSeconds != nil {
		deadline = fmt.Sprintf("%ds", *o.Spec.StartingDeadlineSeconds)
	}
	d.field(0, "Starting Deadline Seconds", deadline)
	d.template(&o.Spec.JobTemplate.Spec.Template)
	last := "<unset>"
	if t := o.Status.LastScheduleTime; t != nil {
		last = t.Format(time.RFC1123Z)
	}
	d.field(0, "Last Schedule Time", last)
	var active []string
	for _, ref := range o.Status.Active {
		active = append(active, ref.Name)
	}
	if len(active) == 0 {
		active = []string{none}
	}
	d.field(0, "Active Jobs", strings.Join(active, ", "))
}

func (d *printer) budget(o *policyv1.PodDisruptionBudget) {
	if v := o.Spec.MinAvailable; v != nil {
		d.field(0, "Min available", v.String())
	}
	if v := o.Spec.MaxUnavailable; v != nil {
		d.field(0, "Max unavailable", v.String())
	}
	d.selector(o.Spec.Selector)
	s := &o.Status
	d.line(0, "Status:")
	d.line(1, "Allowed disruptions:\t%d", s.DisruptionsAllowed)
	d.line(1, "Current:\t%d", s.CurrentHealthy)
	d.line(1, "Desired:\t%d", s.DesiredHealthy)
	d.line(1, "Total:\t%d", s.ExpectedPods)
}
