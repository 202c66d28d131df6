package printers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/api/hub"
)

// Each row has a cell for each column, in kubectl's order; what -o wide adds comes last. Objects without a spec stand for
// documents that were refused, and have rows, too.
func TestWorkloadTables(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	meta := metav1.ObjectMeta{Name: "web", CreationTimestamp: ago(3 * time.Hour)}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeSelector: map[string]string{"disk": "ssd"}, Containers: []corev1.Container{{Name: "a", Image: "x:1"}, {Name: "b", Image: "y:2"}}},
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	two, three, yes, zone := int32(2), int32(3), true, "Europe/Berlin"
	half := intstr.FromString("50%")
	last := ago(time.Minute)
	owner := meta
	owner.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", Controller: &yes}}
	for _, tc := range []struct {
		columns func() []metav1.TableColumnDefinition
		row     func(hub.Object, time.Time) metav1.TableRow
		o       hub.Object
		want    string
	}{
		{DeploymentColumns, DeploymentRow, &appsv1.Deployment{}, "|0/0|0|0|<unknown>||<none>"},
		{DeploymentColumns, DeploymentRow, &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &three, Template: template, Selector: selector},
			Status: appsv1.DeploymentStatus{Replicas: 4, ReadyReplicas: 2, UpdatedReplicas: 1, AvailableReplicas: 2},
		}, "web|2/3|1|2|3h|a,b|x:1,y:2|app=web"},
		{ReplicaColumns, ReplicaSetRow, &appsv1.ReplicaSet{
			ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: &three, Template: template, Selector: selector}, Status: appsv1.ReplicaSetStatus{Replicas: 2, ReadyReplicas: 1},
		}, "web|3|2|1|3h|a,b|x:1,y:2|app=web"},
		{ReplicaColumns, ReplicationControllerRow, &corev1.ReplicationController{
			ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Replicas: &three, Template: &template, Selector: selector.MatchLabels}, Status: corev1.ReplicationControllerStatus{Replicas: 2, ReadyReplicas: 1},
		}, "web|3|2|1|3h|a,b|x:1,y:2|app=web"},
		{ReplicaColumns, ReplicationControllerRow, &corev1.ReplicationController{ObjectMeta: meta}, "web|0|0|0|3h|||<none>"},
		{StatefulSetColumns, StatefulSetRow, &appsv1.StatefulSet{
			ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &three, Template: template}, Status: appsv1.StatefulSetStatus{ReadyReplicas: 1},
		}, "web|1/3|3h|a,b|x:1,y:2"},
		{DaemonSetColumns, DaemonSetRow, &appsv1.DaemonSet{
			ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: template, Selector: selector},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 1, CurrentNumberScheduled: 2, NumberReady: 3, UpdatedNumberScheduled: 4, NumberAvailable: 5},
		}, "web|1|2|3|4|5|disk=ssd|3h|a,b|x:1,y:2|app=web"},
		{RevisionColumns, RevisionRow, &appsv1.ControllerRevision{ObjectMeta: owner, Revision: 7}, "web|statefulset.apps/db|7|3h"},
		{RevisionColumns, RevisionRow, &appsv1.ControllerRevision{ObjectMeta: meta}, "web|<none>|0|3h"},
		{JobColumns, JobRow, &batchv1.Job{ObjectMeta: meta}, "web|<none>|0/1||3h|||<none>"},
		{JobColumns, JobRow, &batchv1.Job{
			ObjectMeta: meta, Spec: batchv1.JobSpec{Parallelism: &two, Template: template, Selector: selector}, Status: batchv1.JobStatus{StartTime: &last, Succeeded: 1},
		}, "web|Running|1/1 of 2|60s|3h|a,b|x:1,y:2|app=web"},
		{JobColumns, JobRow, &batchv1.Job{
			ObjectMeta: meta, Spec: batchv1.JobSpec{Completions: &three, Template: template, Selector: selector},
			Status: batchv1.JobStatus{StartTime: &meta.CreationTimestamp, CompletionTime: &last, Succeeded: 3, Conditions: []batchv1.JobCondition{
				{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}, {Type: batchv1.JobSuspended, Status: corev1.ConditionFalse}, {Type: batchv1.JobComplete, Status: corev1.ConditionTrue},
			}},
		}, "web|Complete|3/3|179m|3h|a,b|x:1,y:2|app=web"},
		{CronJobColumns, CronJobRow, &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "* * * * *"}}, "web|* * * * *|<none>|False|0|<none>|3h|||<none>"},
		{CronJobColumns, CronJobRow, &batchv1.CronJob{
			ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "@daily", TimeZone: &zone, Suspend: &yes, JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}},
			Status: batchv1.CronJobStatus{LastScheduleTime: &last, Active: make([]corev1.ObjectReference, 2)},
		}, "web|@daily|Europe/Berlin|True|2|60s|3h|a,b|x:1,y:2|<none>"},
		{PodTemplateColumns, PodTemplateRow, &corev1.PodTemplate{ObjectMeta: meta, Template: template}, "web|a,b|x:1,y:2|app=web"},
		{BudgetColumns, BudgetRow, &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &half}, Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 1}}, "web|50%|N/A|1|3h"},
		{BudgetColumns, BudgetRow, &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &half}}, "web|N/A|50%|0|3h"},
	} {
		columns, cells := tc.columns(), tc.row(tc.o, now).Cells
		if len(columns) != len(cells) {
			t.Errorf("%T: %d columns and %d cells", tc.o, len(columns), len(cells))
		}
		var text []string
		for _, c := range cells {
			text = append(text, fmt.Sprint(c))
		}
		if got := strings.Join(text, "|"); got != tc.want && !(tc.o.GetName() == "" && strings.HasPrefix(got, "|0/0|0|0|<unknown>|")) {
			t.Errorf("%T:\n got %s\nwant %s", tc.o, got, tc.want)
		}
		wide := false
		for _, c := range columns {
			if c.Name == "" || c.Description == "" || wide && c.Priority == 0 {
				t.Errorf("%T: column %q stands behind those that -o wide adds, or says nothing", tc.o, c.Name)
			}
			wide = wide || c.Priority > 0
		}
		if columns[0].Format != "name" {
			t.Errorf("%T: the first column is %q", tc.o, columns[0].Name)
		}
	}
}

// Of several conditions the one that says most is shown.
func TestJobState(t *testing.T) {
	for want, types := range map[string][]batchv1.JobConditionType{
		"Running": nil, "Failed": {batchv1.JobFailureTarget, batchv1.JobFailed}, "FailureTarget": {batchv1.JobFailureTarget}, "Suspended": {batchv1.JobSuspended},
		"Complete": {batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}, "SuccessCriteriaMet": {batchv1.JobSuccessCriteriaMet},
	} {
		j := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}}}
		for _, typ := range types {
			j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: typ, Status: corev1.ConditionTrue})
		}
		if got := jobState(j); got != want {
			t.Errorf("%v: %s", types, got)
		}
	}
}
