package runtime

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/workload/job"
)

// finishedPod is a pod of a Job that has ended and is not counted.
func finishedPod(t *testing.T, r *Runtime) (*lifecycle.Pod, *corev1.Pod) {
	t.Helper()
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "sums-1", Namespace: "default", UID: "u1", Finalizers: []string{job.Finalizer}}}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	p := lifecycle.NewPod(state.NewRecord("u1", object, state.Now()))
	p.Record.Raw, p.Record.Made, p.Record.State = raw, true, state.PodFinished
	r.pods["u1"] = p
	free := object.DeepCopy()
	free.Finalizers = nil
	return p, free
}

func startedLoop(t *testing.T) *Runtime {
	t.Helper()
	w := workloadWorld(t)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	return w.d.r
}

// A Job's number may be kept as soon as its pods have lost the finalizer. If the record of a pod were written later, a daemon
// that dies in between would leave a pod that is counted twice.
func TestFinalizersGoAtOnce(t *testing.T) {
	r := startedLoop(t)
	_, free := finishedPod(t, r)
	r.workloads.updatePod(free, state.Now())
	recs, bad := r.records.ReadAll()
	if len(bad) > 0 || len(recs) != 1 || len(recs[0].Object.Finalizers) > 0 {
		t.Errorf("on disk are %+v, %v", recs, bad)
	}
}

// A daemon that dies before the disk has the end of a pod without its finalizer has a successor that writes it: after a reboot
// the Job would count the pod again.
func TestFinalizersGoForGood(t *testing.T) {
	r := startedLoop(t)
	p, free := finishedPod(t, r)
	r.saveFinished(p)
	r.disk.Wait()
	p.Record.Kept = true
	p.Record.Object = free
	p.Record.Raw, _ = json.Marshal(free)
	adopter{r}.adoptFinished(p)
	r.disk.Wait()
	if rec, err := r.finished.Read("u1"); err != nil || rec == nil || len(rec.Object.Finalizers) > 0 {
		t.Errorf("on flash is %+v, %v", rec, err)
	}
	if !p.Record.Kept {
		t.Error("the pod would be shown as running again until it is written")
	}
}
