package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	deploymentstore "k8s.io/kubernetes/pkg/registry/apps/deployment"
	replicasetstore "k8s.io/kubernetes/pkg/registry/apps/replicaset"
	statefulsetstore "k8s.io/kubernetes/pkg/registry/apps/statefulset"
	cronjobstore "k8s.io/kubernetes/pkg/registry/batch/cronjob"
	jobstore "k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"

	"podd/runtime/workload/workloadtest"
)

const recordedEdits = "../../../runtime/workload/testdata/edits.json"

// TestEdits records what the API server's own strategies say of every change of a workload.
func TestEdits(t *testing.T) {
	said := map[string][]string{}
	for _, e := range workloadtest.Edits() {
		if _, twice := said[e.Name]; twice {
			t.Fatalf("two edits are %q", e.Name)
		}
		said[e.Name] = judge(t, &e)
	}
	data, err := json.MarshalIndent(said, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	if *update {
		if err := os.WriteFile(recordedEdits, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old, err := os.ReadFile(recordedEdits); err != nil || !bytes.Equal(old, data) {
		t.Errorf("the recording differs from the API server: go test -update (%v)", err)
	}
}

// strategy is how the API server takes updates of an object.
func strategy(t *testing.T, o runtime.Object) rest.RESTCreateUpdateStrategy {
	switch o.(type) {
	case *apps.Deployment:
		return deploymentstore.Strategy
	case *apps.ReplicaSet:
		return replicasetstore.Strategy
	case *apps.DaemonSet:
		return daemonset.Strategy
	case *apps.StatefulSet:
		return statefulsetstore.Strategy
	case *apps.ControllerRevision:
		return controllerrevision.Strategy
	case *batch.Job:
		return jobstore.Strategy
	case *batch.CronJob:
		return cronjobstore.Strategy
	case *core.ReplicationController:
		return replicationcontroller.Strategy
	case *core.PodTemplate:
		return podtemplate.Strategy
	case *core.PersistentVolumeClaim:
		return persistentvolumeclaim.Strategy
	case *policy.PodDisruptionBudget:
		return poddisruptionbudget.Strategy
	}
	t.Fatalf("%T has no strategy here", o)
	return nil
}

// judge makes an object as the API server makes it, and changes it.
func judge(t *testing.T, e *workloadtest.Edit) []string {
	t.Helper()
	read := func(text string) (runtime.Object, rest.RESTCreateUpdateStrategy, context.Context) {
		o, _, err := legacyscheme.Codecs.UniversalDecoder().Decode([]byte(text), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		internal, err := legacyscheme.Scheme.UnsafeConvertToVersion(o, runtime.InternalGroupVersioner)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		m, err := meta.Accessor(internal)
		if err != nil {
			t.Fatal(err)
		}
		m.SetUID(types.UID("11111111-1111-1111-1111-111111111111"))
		m.SetResourceVersion("1")
		gvk, err := e.Kind()
		if err != nil {
			t.Fatal(err)
		}
		ctx := genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(context.Background(), "default"),
			&genericapirequest.RequestInfo{APIGroup: gvk.Group, APIVersion: gvk.Version, IsResourceRequest: true, Verb: "update"})
		s := strategy(t, internal)
		s.PrepareForCreate(ctx, internal)
		return internal, s, ctx
	}
	before, s, ctx := read(e.Before)
	after, _, _ := read(e.After)
	if j, ok := before.(*batch.Job); ok && e.Status != "" {
		var status struct {
			StartTime  *string
			Active     int32
			Conditions []struct{ Type, Status string }
		}
		if err := json.Unmarshal([]byte(e.Status), &status); err != nil {
			t.Fatal(err)
		}
		j.Status.Active = status.Active
		if status.StartTime != nil {
			j.Status.StartTime = &j.CreationTimestamp
		}
		for _, c := range status.Conditions {
			j.Status.Conditions = append(j.Status.Conditions, batch.JobCondition{Type: batch.JobConditionType(c.Type), Status: core.ConditionStatus(c.Status)})
		}
	}
	said := []string{}
	err := rest.BeforeUpdate(s, ctx, after, before)
	if err == nil {
		return said
	}
	status, ok := err.(errors.APIStatus)
	if !ok || status.Status().Details == nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	for _, c := range status.Status().Details.Causes {
		said = append(said, c.Field+": "+workloadtest.Plain(c.Message))
	}
	return said
}
