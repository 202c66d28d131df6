package job

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

func newJob(completions, parallelism int32, change func(*batchv1.JobSpec)) *batchv1.Job {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "pi", Namespace: "default", UID: "job", Generation: 1},
		Spec: batchv1.JobSpec{
			Completions: &completions, Parallelism: &parallelism, BackoffLimit: new(int32(6)),
			Template: corev1.PodTemplateSpec{
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "pi", Image: "pi"}},
				},
			},
		},
	}
	if change != nil {
		change(&j.Spec)
	}
	GenerateSelector(j)
	return j
}

func lookAt(o workload.Object, in workload.Input) (workload.Result, bool) {
	if j, ok := o.(*batchv1.Job); ok {
		return Compute(j, in), true
	}
	return workload.Result{}, false
}

func status(b *workloadtest.Board) *batchv1.JobStatus { return &b.Get("job").(*batchv1.Job).Status }

// TestCountsOnce plays Jobs in which podd dies in the middle of a step and pods end when they like: at no moment are
// more pods counted than have ended, and in the end each is, once.
func TestCountsOnce(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := workloadtest.New(t, seed)
			b.Compute = lookAt
			want := int32(1 + b.Rand.IntN(8))
			indexed, policy := seed%2 == 1, seed%3 == 0
			b.Put(newJob(want, int32(1+b.Rand.IntN(4)), func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(1000))
				if indexed {
					s.CompletionMode = new(batchv1.IndexedCompletion)
				}
				if policy {
					s.PodReplacementPolicy = new(batchv1.Failed)
				}
			}))
			succeeded, failed := map[types.UID]bool{}, map[types.UID]bool{}
			b.Check = func() {
				active := map[string]bool{}
				for _, p := range b.Pods {
					switch p.Status.Phase {
					case corev1.PodSucceeded:
						succeeded[p.UID] = true
					case corev1.PodFailed:
						failed[p.UID] = true
					default:
						ix := p.Annotations[batchv1.JobCompletionIndexAnnotation]
						if indexed && active[ix] {
							t.Fatalf("two pods of index %s", ix)
						}
						active[ix] = true
					}
				}
				st := status(b)
				named := 0
				if un := st.UncountedTerminatedPods; un != nil {
					named = len(un.Succeeded)
				}
				if int(st.Succeeded)+named > len(succeeded) {
					t.Fatalf("%d and %d succeeded, %d did", st.Succeeded, named, len(succeeded))
				}
				if int(st.Failed) > len(failed) {
					t.Fatalf("%d counted as failed, %d did", st.Failed, len(failed))
				}
			}
			for range 3000 {
				if finished(b.Get("job").(*batchv1.Job)) != nil {
					break
				}
				b.Play(5, func(p *corev1.Pod) {
					switch b.Rand.IntN(3) {
					case 0:
						b.Finish(p.UID, int32(b.Rand.IntN(3))/2)
					default:
						b.SetReady(p.UID, true)
					}
				})
				if b.Rand.IntN(3) == 0 {
					b.Now = b.Now.Add(mostBackoff)
				}
			}
			b.Settle()
			end := finished(b.Get("job").(*batchv1.Job))
			if end == nil || end.Type != batchv1.JobComplete {
				t.Fatalf("ends with %+v", status(b))
			}
			st := status(b)
			if st.Succeeded != want || int(st.Failed) != len(failed) || len(succeeded) != int(want) {
				t.Errorf("succeeded %d, did %d; failed %d, did %d", st.Succeeded, len(succeeded), st.Failed, len(failed))
			}
			for _, p := range b.Pods {
				if len(p.Finalizers) > 0 {
					t.Errorf("pod %s still has %v", p.Name, p.Finalizers)
				}
			}
		})
	}
}

// Failures in a row are tried again after 10 s, 20 s, 40 s, and then the Job fails.
func TestBackoff(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	b.Put(newJob(1, 1, func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(3)) }))
	b.Settle()
	for i, delay := range []time.Duration{10, 20, 40} {
		b.Finish(b.Pods[i].UID, 1)
		at := b.Now
		b.Settle()
		if len(b.Pods) != i+1 || !b.Wake() || b.Now.Sub(at) != delay*time.Second {
			t.Fatalf("%d pods, woken after %v, want %v", len(b.Pods), b.Now.Sub(at), delay*time.Second)
		}
		b.Settle()
		if len(b.Pods) != i+2 {
			t.Fatalf("%d pods after back-off %d", len(b.Pods), i)
		}
	}
	b.Finish(b.Pods[3].UID, 1)
	b.Settle()
	if end := finished(b.Get("job").(*batchv1.Job)); end == nil || end.Reason != "BackoffLimitExceeded" {
		t.Fatalf("%+v", status(b))
	}
	if st := status(b); st.Failed != 4 || st.Active != 0 || b.Wake() {
		t.Errorf("%+v", st)
	}
}

// A Job that has ended is removed when its time to live is over, also one that ended before podd started.
func TestTimeToLive(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	b.Put(newJob(1, 1, func(s *batchv1.JobSpec) { s.TTLSecondsAfterFinished = new(int32(30)) }))
	b.Settle()
	b.Finish(b.Pods[0].UID, 0)
	b.Settle()
	at := b.Now
	if !b.Wake() || b.Now.Sub(at) != 30*time.Second {
		t.Fatalf("wakes after %v", b.Now.Sub(at))
	}
	b.Settle()
	if b.Get("job") != nil {
		t.Error("the Job is still there")
	}
}

func TestDeadline(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	b.Put(newJob(1, 1, func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(60)) }))
	b.Settle()
	b.SetReady(b.Pods[0].UID, true)
	b.Settle()
	at := b.Now
	if !b.Wake() || b.Now.Sub(at) != time.Minute {
		t.Fatalf("wakes after %v", b.Now.Sub(at))
	}
	b.Settle()
	if p := b.Pods[0]; p.DeletionTimestamp == nil || finished(b.Get("job").(*batchv1.Job)) != nil {
		t.Fatal("the Job must wait for its pod to end")
	}
	b.Collect(b.Pods[0].UID)
	b.Settle()
	if end := finished(b.Get("job").(*batchv1.Job)); end == nil || end.Reason != "DeadlineExceeded" || len(b.Pods) != 0 {
		t.Errorf("%+v", status(b))
	}
}

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		text, want string
		most       int
	}{
		{"", "", 5},
		{"1,3-5,7", "1,3-5,7", 10},
		{"1,2,3", "1-3", 10},
		{"0,1", "0,1", 10},
		{"3-9", "3,4", 5},
		{"1,x,3-y,4", "1,4", 10},
		{"7", "", 5},
	} {
		if got := parse(c.text, c.most).String(); got != c.want {
			t.Errorf("%q below %d: %q, want %q", c.text, c.most, got, c.want)
		}
	}
	l := parse("1,3-5,7", 10)
	for i := range 10 {
		if want := i == 1 || i >= 3 && i <= 5 || i == 7; l.has(i) != want {
			t.Errorf("has %d: %v", i, !want)
		}
	}
	if got := l.with([]int{2, 6, 6}).String(); got != "1-7" {
		t.Errorf("joined: %s", got)
	}
	if got := l.overlap(parse("0-4,7-9", 10)); got != 4 {
		t.Errorf("overlap %d", got)
	}
}
