package annotation

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is wrong with a file is said on the objects of all kinds, and only on that copy of them.
func TestProblem(t *testing.T) {
	since := metav1.NewTime(time.Unix(1_800_000_000, 0))
	for _, o := range []metav1.Object{
		&appsv1.Deployment{}, &appsv1.ReplicaSet{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &batchv1.Job{}, &batchv1.CronJob{},
		&corev1.ReplicationController{}, &policyv1.PodDisruptionBudget{}, &corev1.PodTemplate{}, &corev1.Pod{},
	} {
		if reason, message := ProblemOf(o); reason != "" || message != "" {
			t.Errorf("%T: %q, %q of none", o, reason, message)
		}
		SetProblem(o, "InvalidManifest", "web.yaml: no: not so", since)
		if reason, message := ProblemOf(o); reason != "InvalidManifest" || message != "web.yaml: no: not so" {
			t.Errorf("%T: %q, %q", o, reason, message)
		}
	}
	d := &appsv1.Deployment{}
	d.Status.Conditions = make([]appsv1.DeploymentCondition, 1, 4)
	shown := *d
	SetProblem(&shown, "InvalidManifest", "no", since)
	if got := d.Status.Conditions[:2][1]; got.Type != "" || len(shown.Status.Conditions) != 2 || !shown.Status.Conditions[1].LastTransitionTime.Equal(&since) {
		t.Errorf("%+v, of %+v", shown.Status.Conditions, d.Status.Conditions[:2])
	}
	cron := &batchv1.CronJob{}
	SetProblem(cron, "InvalidManifest", "no", since)
	if DropProblem(&cron.ObjectMeta); cron.Annotations != nil {
		t.Errorf("%v", cron.Annotations)
	}
}
