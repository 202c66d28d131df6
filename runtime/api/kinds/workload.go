package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"podd/runtime/api/printers"
)

// workloadKinds are the kinds that make pods, those that they are made of, and PodDisruptionBudgets. They print as the API
// server's do (kubernetes pkg/printers/internalversion).
func Workloads() []*Kind {
	const apps, batch = "apps/v1", "batch/v1"
	return []*Kind{
		{Resource: "deployments", Name: "Deployment", Group: apps, Short: []string{"deploy"}, All: true, Namespaced: true, Blank: blank[appsv1.Deployment], Columns: printers.DeploymentColumns, Row: printers.DeploymentRow},
		{Resource: "replicasets", Name: "ReplicaSet", Group: apps, Short: []string{"rs"}, All: true, Namespaced: true, Blank: blank[appsv1.ReplicaSet], Columns: printers.ReplicaColumns, Row: printers.ReplicaSetRow},
		{Resource: "statefulsets", Name: "StatefulSet", Group: apps, Short: []string{"sts"}, All: true, Namespaced: true, Blank: blank[appsv1.StatefulSet], Columns: printers.StatefulSetColumns, Row: printers.StatefulSetRow},
		{Resource: "daemonsets", Name: "DaemonSet", Group: apps, Short: []string{"ds"}, All: true, Namespaced: true, Blank: blank[appsv1.DaemonSet], Columns: printers.DaemonSetColumns, Row: printers.DaemonSetRow},
		{Resource: "controllerrevisions", Name: "ControllerRevision", Group: apps, Namespaced: true, Blank: blank[appsv1.ControllerRevision], Columns: printers.RevisionColumns, Row: printers.RevisionRow},
		{Resource: "jobs", Name: "Job", Group: batch, All: true, Namespaced: true, Blank: blank[batchv1.Job], Columns: printers.JobColumns, Row: printers.JobRow},
		{Resource: "cronjobs", Name: "CronJob", Group: batch, Short: []string{"cj"}, All: true, Namespaced: true, Blank: blank[batchv1.CronJob], Columns: printers.CronJobColumns, Row: printers.CronJobRow},
		{Resource: "replicationcontrollers", Name: "ReplicationController", Short: []string{"rc"}, All: true, Namespaced: true, Blank: blank[corev1.ReplicationController], Columns: printers.ReplicaColumns, Row: printers.ReplicationControllerRow},
		{Resource: "podtemplates", Name: "PodTemplate", Namespaced: true, Blank: blank[corev1.PodTemplate], Columns: printers.PodTemplateColumns, Row: printers.PodTemplateRow},
		{Resource: "poddisruptionbudgets", Name: "PodDisruptionBudget", Group: "policy/v1", Short: []string{"pdb"}, Namespaced: true, Blank: blank[policyv1.PodDisruptionBudget], Columns: printers.BudgetColumns, Row: printers.BudgetRow},
	}
}
