package workload_test

import (
	"cmp"
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest/kinds"
	"podd/runtime/workload"
	"podd/runtime/workload/cronjob"
	"podd/runtime/workload/daemonset"
	"podd/runtime/workload/deployment"
	"podd/runtime/workload/disruption"
	"podd/runtime/workload/job"
	"podd/runtime/workload/replicaset"
	"podd/runtime/workload/statefulset"
	"podd/runtime/workload/workloadtest"
)

func compute(o workload.Object, in workload.Input) (workload.Result, bool) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return deployment.Compute(o, in), true
	case *appsv1.ReplicaSet:
		return replicaset.Compute(o, in), true
	case *corev1.ReplicationController:
		return replicaset.ComputeController(o, in), true
	case *appsv1.StatefulSet:
		return statefulset.Compute(o, in), true
	case *appsv1.DaemonSet:
		return daemonset.Compute(o, in), true
	case *batchv1.Job:
		return job.Compute(o, in), true
	case *batchv1.CronJob:
		res := cronjob.Compute(o, in)
		for _, made := range res.Write { // the API server's part
			j := made.(*batchv1.Job)
			kinds.CompleteJob(j)
			job.GenerateSelector(j)
		}
		return res, true
	case *policyv1.PodDisruptionBudget:
		return disruption.Compute(o, in), true
	}
	return workload.Result{}, false
}

// TestAsRecorded plays the scenarios that kube-controller-manager's controllers were recorded in
// (hack/tools/controllers): the same pods and children with the same names, labels and annotations, the same statuses
// and events in the same order.
func TestAsRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r workloadtest.Recording
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			play(t, &r)
		})
	}
}

func play(t *testing.T, r *workloadtest.Recording) {
	b := workloadtest.New(t, 1)
	b.Compute = compute
	b.Objects = nil
	names := &workloadtest.Names{}
	for i, step := range r.Steps {
		b.Now = step.Now
		for _, p := range step.Put {
			o := workloadtest.NewObject(p.Kind)
			if err := json.Unmarshal(p.Object, o); err != nil {
				t.Fatal(err)
			}
			if n, ok := o.(*corev1.Node); ok {
				b.Node = n
				continue
			}
			if old := b.Get(o.GetUID()); old != nil {
				keepStatus(o, old)
			}
			b.Put(o)
		}
		for _, path := range step.Remove {
			kind, name, _ := strings.Cut(path, "/")
			for _, o := range b.Objects {
				if k, _ := workloadtest.KindOf(o); k == kind && o.GetName() == name {
					b.Remove(o.GetUID())
					break
				}
			}
		}
		for _, c := range step.Pods {
			c.Apply(b)
		}
		looks := settle(b, names)
		failed := diff(t, i, step.Do, "looks", workloadtest.InStep(looks), workloadtest.InStep(step.Looks))
		rest := names.Rest(b.Objects, b.Pods)
		if diff(t, i, step.Do, "rest", rest, step.Rest) || failed {
			return
		}
	}
}

// keepStatus keeps what is the controller's in an object that a person writes again.
func keepStatus(o, old workload.Object) {
	a := old.GetAnnotations()
	if v, ok := a[deployment.RevisionAnnotation]; ok {
		m := map[string]string{}
		for k, v := range o.GetAnnotations() {
			m[k] = v
		}
		m[deployment.RevisionAnnotation] = v
		o.SetAnnotations(m)
	}
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.Status = old.(*appsv1.Deployment).Status
	case *appsv1.StatefulSet:
		o.Status = old.(*appsv1.StatefulSet).Status
	case *appsv1.DaemonSet:
		o.Status = old.(*appsv1.DaemonSet).Status
	case *appsv1.ReplicaSet:
		o.Status = old.(*appsv1.ReplicaSet).Status
	case *corev1.ReplicationController:
		o.Status = old.(*corev1.ReplicationController).Status
	case *batchv1.Job:
		o.Status = old.(*batchv1.Job).Status
	case *batchv1.CronJob:
		o.Status = old.(*batchv1.CronJob).Status
	case *policyv1.PodDisruptionBudget:
		o.Status = old.(*policyv1.PodDisruptionBudget).Status
	}
}

// settle lets the controllers look one after the other, in the order of the recorder.
func settle(b *workloadtest.Board, names *workloadtest.Names) (lines []string) {
	for range 200 {
		changed := false
		for _, o := range inOrder(b) {
			before := b.Get(o.GetUID())
			if before == nil {
				continue
			}
			b.Events = nil
			b.Scales = scales(b)
			if b.Step(before) {
				changed = true
			}
			names.Learn(b.Pods)
			after := b.Get(o.GetUID())
			events := make([]string, len(b.Events))
			for i, e := range b.Events {
				events[i] = strings.TrimPrefix(e, o.GetName()+" ")
			}
			lines = append(lines, names.Look(before, after, events)...)
		}
		if !changed {
			return lines
		}
	}
	b.T.Fatalf("the controllers do not come to rest:\n  %s", strings.Join(lines[max(len(lines)-4, 0):], "\n  "))
	return nil
}

// scales are what controllers want, as the daemon says it to budgets.
func scales(b *workloadtest.Board) map[types.UID]workload.Scale {
	m := map[types.UID]workload.Scale{}
	for _, o := range b.Objects {
		if s, ok := workload.ScaleOf(o, b.Get); ok {
			m[o.GetUID()] = s
		}
	}
	return m
}

// inOrder yields the objects kind by kind, those included that a controller before has made.
func inOrder(b *workloadtest.Board) iter.Seq2[int, workload.Object] {
	return func(yield func(int, workload.Object) bool) {
		for place := range 10 {
			var list []workload.Object
			for _, o := range b.Objects {
				if _, p := workloadtest.KindOf(o); p == place {
					list = append(list, o)
				}
			}
			slices.SortFunc(list, func(x, y workload.Object) int { return cmp.Compare(x.GetName(), y.GetName()) })
			for _, o := range list {
				if !yield(place, o) {
					return
				}
			}
		}
	}
}

func diff(t *testing.T, step int, do, what string, got, want []string) bool {
	t.Helper()
	if slices.Equal(got, want) {
		return false
	}
	for len(got) > 0 && len(want) > 0 && got[0] == want[0] {
		got, want = got[1:], want[1:]
	}
	t.Errorf("step %d (%s): %s differ from here:\n got:\n  %s\nwant:\n  %s", step, do, what,
		strings.Join(got[:min(len(got), 4)], "\n  "), strings.Join(want[:min(len(want), 4)], "\n  "))
	return true
}
