package controller

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"podd/runtime/workload"
)

// version is how a kind of object is written.
type version struct{ apiVersion, kind string }

func versionOf(o workload.Object) version {
	switch o.(type) {
	case *appsv1.Deployment:
		return version{"apps/v1", kindDeployment}
	case *appsv1.ReplicaSet:
		return version{"apps/v1", kindReplicaSet}
	case *appsv1.StatefulSet:
		return version{"apps/v1", kindStateful}
	case *appsv1.DaemonSet:
		return version{"apps/v1", kindDaemon}
	case *appsv1.ControllerRevision:
		return version{"apps/v1", kindRevision}
	case *batchv1.Job:
		return version{"batch/v1", kindJob}
	case *batchv1.CronJob:
		return version{"batch/v1", kindCron}
	case *policyv1.PodDisruptionBudget:
		return version{"policy/v1", kindBudget}
	case *corev1.ReplicationController:
		return version{"v1", kindController}
	}
	return version{"v1", kindClaim}
}

// blank is an empty object of a kind, nil if it is none of ours.
func blank(kind string) workload.Object {
	switch kind {
	case kindDeployment:
		return &appsv1.Deployment{}
	case kindReplicaSet:
		return &appsv1.ReplicaSet{}
	case kindStateful:
		return &appsv1.StatefulSet{}
	case kindDaemon:
		return &appsv1.DaemonSet{}
	case kindRevision:
		return &appsv1.ControllerRevision{}
	case kindJob:
		return &batchv1.Job{}
	case kindCron:
		return &batchv1.CronJob{}
	case kindBudget:
		return &policyv1.PodDisruptionBudget{}
	case kindController:
		return &corev1.ReplicationController{}
	case kindClaim:
		return &corev1.PersistentVolumeClaim{}
	}
	return nil
}

// decode reads an object of a kind.
func decode(kind string, data []byte) (workload.Object, error) {
	o := blank(kind)
	if o == nil {
		return nil, fmt.Errorf("kind %s is not known", kind)
	}
	if err := json.Unmarshal(data, o); err != nil {
		return nil, err
	}
	if o.GetUID() == "" || o.GetName() == "" {
		return nil, fmt.Errorf("a %s without a name", kind)
	}
	return o, nil
}

// takeStatus gives an object the status of another of its kind.
func takeStatus(o, from workload.Object) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.Status = from.(*appsv1.Deployment).Status
	case *appsv1.ReplicaSet:
		o.Status = from.(*appsv1.ReplicaSet).Status
	case *appsv1.StatefulSet:
		o.Status = from.(*appsv1.StatefulSet).Status
	case *appsv1.DaemonSet:
		o.Status = from.(*appsv1.DaemonSet).Status
	case *batchv1.Job:
		o.Status = from.(*batchv1.Job).Status
	case *batchv1.CronJob:
		o.Status = from.(*batchv1.CronJob).Status
	case *policyv1.PodDisruptionBudget:
		o.Status = from.(*policyv1.PodDisruptionBudget).Status
	case *corev1.ReplicationController:
		o.Status = from.(*corev1.ReplicationController).Status
	}
}

// specOf is what an object wants.
func specOf(o workload.Object) any {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec
	case *appsv1.ReplicaSet:
		return &o.Spec
	case *appsv1.StatefulSet:
		return &o.Spec
	case *appsv1.DaemonSet:
		return &o.Spec
	case *batchv1.Job:
		return &o.Spec
	case *batchv1.CronJob:
		return &o.Spec
	case *policyv1.PodDisruptionBudget:
		return &o.Spec
	case *corev1.ReplicationController:
		return &o.Spec
	}
	return nil
}

// templateOf is the template of the pods that an object makes by itself or by its children, nil if it makes none.
func templateOf(o workload.Object) *corev1.PodTemplateSpec {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.ReplicaSet:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	case *batchv1.CronJob:
		return &o.Spec.JobTemplate.Spec.Template
	case *corev1.ReplicationController:
		return o.Spec.Template
	}
	return nil
}

// durable is what must survive a reboot of an object's status; the rest follows from its pods, which do not.
func durable(o workload.Object) any {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return []any{o.Annotations, o.Status.CollisionCount}
	case *appsv1.ReplicaSet:
		return []any{o.ObjectMeta.Labels, o.ObjectMeta.Annotations, o.OwnerReferences, o.Spec}
	case *appsv1.StatefulSet:
		return []any{o.Status.CurrentRevision, o.Status.UpdateRevision, o.Status.CollisionCount}
	case *appsv1.DaemonSet:
		return []any{o.Annotations, o.Status.CollisionCount}
	case *batchv1.Job:
		s := o.Status
		s.Active, s.Ready, s.Terminating = 0, nil, nil
		return []any{o.Spec, o.OwnerReferences, s}
	case *batchv1.CronJob:
		return []any{o.Status.LastScheduleTime, o.Status.LastSuccessfulTime}
	case *corev1.ReplicationController, *policyv1.PodDisruptionBudget:
		return nil
	}
	return o
}
