// Package workloadtest is a board in memory, for tests of controllers: it carries out their steps, in whole or up to a
// death in the middle, and its pods do what a test says.
package workloadtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
)

// NodeName is the name of the board.
const NodeName = "board"

// Board is a world of one namespace.
type Board struct {
	T    testing.TB
	Now  time.Time
	Rand *rand.Rand
	// Compute is one step of an object of any kind that the test uses; ok is false for a kind that has no controller.
	Compute func(o workload.Object, in workload.Input) (res workload.Result, ok bool)
	// Check is called after each change.
	Check func()

	Pods    []*corev1.Pod
	Objects []workload.Object // the oldest first
	Events  []string          // kind/name type reason message
	Node    *corev1.Node
	Scales  map[types.UID]workload.Scale

	sequences map[types.UID]int64
	wakes     map[types.UID]time.Time
	failing   map[types.UID]string
	made      map[types.UID]bool
}

// New makes an empty board.
func New(t testing.TB, seed uint64) *Board {
	return &Board{
		T: t, Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Rand: rand.New(rand.NewPCG(seed, 17)),
		Check: func() {}, sequences: map[types.UID]int64{}, wakes: map[types.UID]time.Time{}, failing: map[types.UID]string{},
		made: map[types.UID]bool{},
		Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: NodeName, Labels: map[string]string{"kubernetes.io/hostname": NodeName}}},
	}
}

// Put adds or replaces an object, as a file of the folder would. The generation is the caller's affair.
func (b *Board) Put(o workload.Object) {
	if o.GetCreationTimestamp().Time.IsZero() {
		o.SetCreationTimestamp(metav1.NewTime(b.Now.Truncate(time.Second)))
	}
	o = stored(o)
	for i := range b.Objects {
		if b.Objects[i].GetUID() == o.GetUID() {
			b.Objects[i] = o
			return
		}
	}
	b.Objects = append(b.Objects, o)
}

// stored is an object as it comes back from a file.
func stored[O workload.Object](o O) O {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	again := reflect.New(reflect.TypeOf(o).Elem()).Interface()
	if err := json.Unmarshal(data, again); err != nil {
		panic(err)
	}
	return again.(O)
}

// Get is the object as it is now; nil: it is gone.
func (b *Board) Get(uid types.UID) workload.Object {
	for _, o := range b.Objects {
		if o.GetUID() == uid {
			return o
		}
	}
	return nil
}

// Fail lets the next pods of an object be refused; empty: no more.
func (b *Board) Fail(uid types.UID, why string) { b.failing[uid] = why }

// Of lists the objects of a type.
func Of[T workload.Object](b *Board) (list []T) {
	for _, o := range b.Objects {
		if t, ok := o.(T); ok {
			list = append(list, t)
		}
	}
	return list
}

// Owned lists the pods that an object controls.
func (b *Board) Owned(uid types.UID) (list []*corev1.Pod) {
	for _, p := range b.Pods {
		if workload.IsControlledBy(p, uid) {
			list = append(list, p)
		}
	}
	return list
}

func (b *Board) input(o workload.Object) workload.Input {
	return workload.Input{
		Now: b.Now, Pods: slices.Clone(b.Pods), Node: b.Node, Scales: b.Scales, Sequence: b.sequences[o.GetUID()],
		ReplicaSets: Of[*appsv1.ReplicaSet](b), Jobs: Of[*batchv1.Job](b), Revisions: Of[*appsv1.ControllerRevision](b),
		Claims: Of[*corev1.PersistentVolumeClaim](b), CreateError: b.failing[o.GetUID()],
	}
}

// parts is into how many pieces a death may divide a step.
const parts = 5

// Step lets the controller of one object look once. It says whether that changed anything.
func (b *Board) Step(o workload.Object) bool { return b.step(o, parts) }

// StepAndDie is a step that is carried out only in part.
func (b *Board) StepAndDie(o workload.Object) bool { return b.step(o, b.Rand.IntN(parts)) }

func (b *Board) step(o workload.Object, until int) bool {
	b.T.Helper()
	in := b.input(o)
	pods := make([]*corev1.Pod, len(in.Pods))
	for i, p := range in.Pods {
		pods[i] = p.DeepCopy()
	}
	before := o.DeepCopyObject()
	res, ok := b.Compute(o, in)
	if !ok {
		return false
	}
	again, _ := b.Compute(o, in)
	if !reflect.DeepEqual(res, again) {
		b.T.Fatalf("two looks at the same differ: %+v and %+v", res, again)
	}
	for i, p := range in.Pods {
		if !equality.Semantic.DeepEqual(p, pods[i]) {
			b.T.Fatalf("the step wrote into pod %s of its input", p.Name)
		}
	}
	if !equality.Semantic.DeepEqual(o, before) {
		b.T.Fatalf("the step wrote into its object %s", o.GetName())
	}
	b.apply(o, &res, until)
	return !res.Settled()
}

func (b *Board) apply(o workload.Object, res *workload.Result, until int) {
	uid := o.GetUID()
	if res.Sequence < b.sequences[uid] {
		b.T.Fatalf("sequence %d after %d", res.Sequence, b.sequences[uid])
	}
	if until >= 1 { // in one write
		if res.Object != nil {
			b.Put(res.Object)
		}
		b.sequences[uid] = res.Sequence
		for _, w := range res.Write {
			b.writeChild(w)
		}
		for _, p := range res.Create {
			b.create(p)
		}
		for _, e := range res.Events {
			b.Events = append(b.Events, fmt.Sprintf("%s %s %s: %s", o.GetName(), e.Type, e.Reason, e.Message))
		}
		b.wakes[uid] = res.Wake
		b.Check()
	}
	for i, p := range res.Update {
		if until >= 3 || until >= 2 && i%2 == 0 {
			b.update(p)
		}
	}
	for i, p := range res.Delete {
		if until >= 5 || until >= 4 && i%2 == 0 {
			b.End(p.UID)
		}
	}
	if until >= 5 {
		for _, c := range res.Remove {
			b.Remove(c.GetUID())
		}
	}
}

// writeChild keeps the status of a child that is there.
func (b *Board) writeChild(o workload.Object) {
	switch c := o.(type) {
	case *appsv1.ReplicaSet:
		if old, ok := b.Get(c.UID).(*appsv1.ReplicaSet); ok {
			c = c.DeepCopy()
			c.Status = old.Status
			o = c
		}
	case *batchv1.Job:
		if old, ok := b.Get(c.UID).(*batchv1.Job); ok {
			c = c.DeepCopy()
			c.Status = old.Status
			o = c
		}
	}
	for _, other := range b.Objects {
		if reflect.TypeOf(other) == reflect.TypeOf(o) && other.GetName() == o.GetName() && other.GetUID() != o.GetUID() {
			b.T.Fatalf("a second %T of the name %s", o, o.GetName())
		}
	}
	b.Put(o)
}

func (b *Board) create(p *corev1.Pod) {
	for _, q := range b.Pods {
		if q.UID == p.UID {
			b.T.Fatalf("pod %s made twice", p.Name)
		}
		if q.Name == p.Name {
			b.T.Fatalf("pod %s made while one of that name is there", p.Name)
		}
	}
	if b.made[p.UID] {
		b.T.Fatalf("UID of pod %s is used a second time", p.Name)
	}
	b.made[p.UID] = true
	p = stored(p)
	p.Spec.NodeName = NodeName
	b.Pods = append(b.Pods, p)
}

// update takes the metadata of a pod; its status is the board's.
func (b *Board) update(p *corev1.Pod) {
	for i, q := range b.Pods {
		if q.UID == p.UID {
			c := stored(p)
			c.Status, c.Spec, c.DeletionTimestamp = q.Status, q.Spec, q.DeletionTimestamp
			b.Pods[i] = c
			b.sweep()
			return
		}
	}
}

// Edit changes a pod.
func (b *Board) Edit(uid types.UID, change func(*corev1.Pod)) {
	for i, p := range b.Pods {
		if p.UID == uid {
			c := p.DeepCopy()
			change(c)
			b.Pods[i] = c
		}
	}
	b.sweep()
	b.Check()
}

// End lets a pod begin to end.
func (b *Board) End(uid types.UID) {
	b.Edit(uid, func(p *corev1.Pod) {
		if p.DeletionTimestamp == nil {
			now := metav1.NewTime(b.Now.Truncate(time.Second))
			p.DeletionTimestamp = &now
		}
	})
}

// SetReady lets a pod run, and serve or not.
func (b *Board) SetReady(uid types.UID, ready bool) {
	b.Edit(uid, func(p *corev1.Pod) {
		if workload.Terminal(p) {
			return
		}
		p.Status.Phase = corev1.PodRunning
		status := corev1.ConditionFalse
		if ready {
			status = corev1.ConditionTrue
		}
		if old := workload.PodCondition(p, corev1.PodReady); old != nil && old.Status == status {
			return
		}
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(b.Now.Truncate(time.Second)),
		}}
	})
}

// Finish ends the containers of a pod.
func (b *Board) Finish(uid types.UID, code int32) {
	b.Edit(uid, func(p *corev1.Pod) {
		if workload.Terminal(p) {
			return
		}
		p.Status.Phase = corev1.PodSucceeded
		if code != 0 {
			p.Status.Phase = corev1.PodFailed
		}
		now := metav1.NewTime(b.Now.Truncate(time.Second))
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: now}}
		p.Status.ContainerStatuses = nil
		for i := range p.Spec.Containers {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
				Name:  p.Spec.Containers[i].Name,
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: now}},
			})
		}
	})
}

// Collect ends a pod that is to end: its containers are gone, and with them the pod unless it has finalizers.
func (b *Board) Collect(uid types.UID) {
	for _, p := range b.Pods {
		if p.UID == uid && p.DeletionTimestamp != nil {
			if !workload.Terminal(p) {
				b.Finish(uid, 137)
			}
			b.Edit(uid, func(p *corev1.Pod) { p.Labels = with(p.Labels, collected, "true") })
		}
	}
}

const collected = "test.podd.dev/collected"

func with(m map[string]string, k, v string) map[string]string {
	out := map[string]string{k: v}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// sweep forgets the pods that have ended and that nobody holds.
func (b *Board) sweep() {
	b.Pods = slices.DeleteFunc(slices.Clone(b.Pods), func(p *corev1.Pod) bool {
		return p.DeletionTimestamp != nil && p.Labels[collected] != "" && len(p.Finalizers) == 0
	})
}

// Remove takes an object away, and ends what it owns.
func (b *Board) Remove(uid types.UID) {
	b.Objects = slices.DeleteFunc(slices.Clone(b.Objects), func(o workload.Object) bool { return o.GetUID() == uid })
	for _, p := range slices.Clone(b.Pods) {
		if workload.IsControlledBy(p, uid) {
			b.End(p.UID)
			b.Edit(p.UID, func(p *corev1.Pod) { p.Finalizers = nil })
		}
	}
	for _, o := range slices.Clone(b.Objects) {
		if workload.IsControlledBy(o, uid) {
			b.Remove(o.GetUID())
		}
	}
}

// Settle lets all controllers look until none has anything to do.
func (b *Board) Settle() {
	b.T.Helper()
	for range 1000 {
		changed := false
		for _, o := range slices.Clone(b.Objects) {
			if o = b.Get(o.GetUID()); o != nil && b.Step(o) {
				changed = true
			}
		}
		if !changed {
			return
		}
	}
	b.T.Fatal("the controllers do not come to rest")
}

// Wake moves the clock to the next moment that a controller asked for; false: none did.
func (b *Board) Wake() bool {
	var next time.Time
	for uid, at := range b.wakes {
		if b.Get(uid) != nil && !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return false
	}
	if next.After(b.Now) {
		b.Now = next
	}
	return true
}

// Play lets controllers look in any order, now and then with a death in the middle, while pods live: starting, serving,
// failing to, ending.
func (b *Board) Play(steps int, pod func(p *corev1.Pod)) {
	b.T.Helper()
	for range steps {
		switch n := b.Rand.IntN(10); {
		case n < 4 && len(b.Objects) > 0:
			o := b.Objects[b.Rand.IntN(len(b.Objects))]
			if b.Rand.IntN(4) == 0 {
				b.StepAndDie(o)
			} else {
				b.Step(o)
			}
		case n < 9 && len(b.Pods) > 0:
			pod(b.Pods[b.Rand.IntN(len(b.Pods))])
		default:
			b.Now = b.Now.Add(time.Duration(b.Rand.IntN(3000)) * time.Millisecond)
		}
	}
}
