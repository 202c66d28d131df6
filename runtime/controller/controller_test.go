package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload"
)

// loop has the pods that controllers make, and does with them what a test says.
type loop struct {
	m       *Manager
	pods    map[types.UID]*corev1.Pod
	deleted []string
	refuse  error
	events  []string
	tries   int
}

func (l *loop) CreatePod(p *corev1.Pod, _ Origin, now state.Instant) error {
	l.tries++
	if l.refuse != nil {
		return l.refuse
	}
	l.pods[p.UID] = p
	l.m.NotePod(p, now)
	return nil
}

func (l *loop) UpdatePod(p *corev1.Pod, now state.Instant) {
	l.pods[p.UID] = p
	l.m.NotePod(p, now)
}

func (l *loop) DeletePod(uid types.UID, _ state.Instant) {
	l.deleted = append(l.deleted, l.pods[uid].Name)
}
func (l *loop) Made(uid types.UID) bool                           { return l.pods[uid] != nil }
func (l *loop) Node() *corev1.Node                                { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "board"}} }
func (l *loop) ClaimsChanged(map[objects.Key]bool, state.Instant) {}

// finish ends a pod for good.
func (l *loop) finish(p *corev1.Pod, phase corev1.PodPhase, now state.Instant) {
	p = p.DeepCopy()
	p.Status.Phase = phase
	l.pods[p.UID] = p
	l.m.NotePod(p, now)
}

// world is a Manager whose daemon may die.
type world struct {
	t    *testing.T
	dir  string
	set  manifest.Set
	now  state.Instant
	l    *loop
	m    *Manager
	disk *state.Disk
}

func newWorld(t *testing.T, texts ...string) *world {
	w := &world{t: t, dir: t.TempDir(), now: state.Instant{Wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Mono: state.BootTime(time.Hour)}}
	for _, dir := range []string{"run", "root"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.disk.Wait() })
	w.l = &loop{pods: map[types.UID]*corev1.Pod{}}
	w.start()
	w.folder(texts...)
	return w
}

// start begins the life of a daemon: it knows what is on disk, and is shown the pods.
func (w *world) start() {
	log := slog.New(slog.DiscardHandler)
	if w.disk != nil {
		w.disk.Wait()
	}
	w.disk = &state.Disk{Log: log}
	w.m = New(&Manager{
		Loop: w.l, Objects: &objects.Desired{Log: log}, Store: objects.NewStore(), Disk: w.disk, Log: log,
		RunDir: filepath.Join(w.dir, "run"), RootDir: filepath.Join(w.dir, "root"),
		RecordEvent: func(_ time.Time, ref corev1.ObjectReference, typ, reason, message string) {
			w.l.events = append(w.l.events, fmt.Sprintf("%s %s %s %s", ref.Kind, ref.Name, reason, message))
		},
	})
	w.l.m = w.m
	w.disk.SetAside(w.m.Read(w.now), "")
	WriteTrees(w.m)
	for _, p := range w.l.pods {
		w.m.NotePod(p, w.now)
	}
}

// folder is what the manifests say from now on.
func (w *world) folder(texts ...string) {
	w.t.Helper()
	w.set = manifest.Set{}
	for i, text := range texts {
		list, problems := manifest.Parse(fmt.Sprintf("%d.yaml", i), []byte(text))
		if len(problems) > 0 {
			w.t.Fatal(problems)
		}
		w.set.Objects = append(w.set.Objects, list...)
	}
	w.take()
}

func (w *world) take() {
	w.m.Objects.Replace(w.set.Objects, w.now.Wall)
	w.m.Take(&w.set, w.now)
	w.m.Sync(w.now)
}

func (w *world) later(d time.Duration) {
	w.now.Wall, w.now.Mono = w.now.Wall.Add(d), w.now.Mono.Add(d)
	w.m.Sync(w.now)
}

func (w *world) alive() (list []*corev1.Pod) {
	for _, p := range w.l.pods {
		if workload.Active(p) && !w.m.ending[p.UID] {
			list = append(list, p)
		}
	}
	return list
}

const setText = `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: app}]}
`

const jobText = `apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: 2
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: app}]}
`

const cronText = `apiVersion: batch/v1
kind: CronJob
metadata: {name: hourly}
spec:
  schedule: "0 * * * *"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: main, image: app}]}
`

const budgetText = `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
`

// Who looks at what: after each change those whom it concerns, and nobody at rest.
func TestWhoLooksWhen(t *testing.T) {
	w := newWorld(t, setText, jobText, cronText, budgetText)
	var some *corev1.Pod
	for _, p := range w.alive() {
		if p.Labels["app"] == "web" {
			some = p
		}
	}
	dirty := func() string {
		var list []string
		for _, e := range w.m.sorted() {
			if e.dirty {
				list = append(list, e.key.Kind)
			}
		}
		return strings.Join(list, " ")
	}
	if w.m.Due(w.now) || dirty() != "" {
		t.Fatalf("at rest %s look", dirty())
	}
	if at := w.m.WakeAt(w.now); at.Sub(w.now.Mono) != time.Hour {
		t.Errorf("wakes in %v, for the schedule", at.Sub(w.now.Mono))
	}
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"a pod is shown otherwise", func() {
			p := some.DeepCopy()
			p.Status.Phase = corev1.PodRunning
			w.m.NotePod(p, w.now)
		}, "ReplicaSet PodDisruptionBudget"},
		{"a pod has other labels: somebody may adopt it", func() {
			p := some.DeepCopy()
			p.Labels["more"] = "x"
			w.m.NotePod(p, w.now)
		}, "CronJob Job PodDisruptionBudget ReplicaSet"},
		{"the clock is set", func() { w.m.ClockSet() }, "CronJob"},
		{"the board has changed", func() { w.m.NodeChanged() }, ""},
		{"nothing is refused", func() { w.m.RetryCreate() }, ""},
		{"a pod is gone that nobody knew", func() { w.m.ForgetPod("nobody") }, ""},
	} {
		c.change()
		got := map[string]bool{}
		for _, kind := range strings.Fields(dirty()) {
			got[kind] = true
		}
		want := map[string]bool{}
		for _, kind := range strings.Fields(c.want) {
			want[kind] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v look, want %v", c.name, got, want)
		}
		w.m.Sync(w.now)
		if w.m.Due(w.now) {
			t.Errorf("%s: it does not come to rest", c.name)
		}
	}
	if !w.m.HasSchedules() {
		t.Error("no schedule")
	}
}

// Pods that fail are made anew after a while that doubles, and a refusal is not asked again until something changes.
func TestBackoffAndRefusal(t *testing.T) {
	w := newWorld(t, setText)
	fail := func() {
		for _, p := range w.alive() {
			w.l.finish(p, corev1.PodFailed, w.now)
		}
		w.m.Sync(w.now)
	}
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		fail()
		if len(w.alive()) != 0 {
			t.Fatal("made at once after a failure")
		}
		w.later(wait - time.Millisecond)
		if len(w.alive()) != 0 {
			t.Fatalf("made before %v", wait)
		}
		w.later(time.Millisecond)
		if len(w.alive()) != 2 {
			t.Fatalf("%d pods after %v", len(w.alive()), wait)
		}
	}
	fail()
	w.start() // a death forgets no back-off
	w.take()
	if len(w.alive()) != 0 {
		t.Error("a death ends the back-off")
	}
	w.folder(strings.Replace(setText, "image: app", "image: app2", 1))
	if len(w.alive()) != 2 {
		t.Error("an edit does not end the back-off")
	}

	w = newWorld(t)
	w.l.refuse = errors.New("no place")
	w.folder(setText)
	tries := w.l.tries
	w.later(time.Minute)
	if tries == 0 || w.l.tries != tries || !strings.Contains(fmt.Sprint(w.l.events), "FailedCreate Error creating: no place") {
		t.Errorf("%d tries, then %d: %v", tries, w.l.tries, w.l.events)
	}
	w.l.refuse = nil
	w.m.RetryCreate()
	w.m.Sync(w.now)
	if len(w.alive()) != 2 {
		t.Error("not tried again")
	}
}

// What a daemon knew that died before it was on flash is written by the next one.
func TestFilesReachFlash(t *testing.T) {
	w := newWorld(t, jobText)
	w.l.finish(w.alive()[0], corev1.PodSucceeded, w.now)
	w.take()
	w.disk.Wait()
	flash := filepath.Join(w.dir, "root", "job_default_sums.json")
	if err := os.Remove(flash); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.disk.Wait()
	if data, err := os.ReadFile(flash); err != nil || !strings.Contains(string(data), `"succeeded":1`) {
		t.Errorf("%s, %v", data, err)
	}
}

// A tree that is damaged is set aside as it is, and not the one that is written in its place.
func TestDamagedTreeIsSetAside(t *testing.T) {
	for _, dir := range []string{"run", "root"} {
		w := newWorld(t, jobText)
		w.disk.Wait()
		file := filepath.Join(w.dir, dir, "job_default_sums.json")
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.disk.Wait()
		aside, _ := filepath.Glob(file + ".damaged-*")
		if len(aside) != 1 {
			t.Fatalf("%s: aside are %v", dir, aside)
		}
		if data, err := os.ReadFile(aside[0]); err != nil || string(data) != "{" {
			t.Errorf("%s: aside is %s, %v", dir, data, err)
		}
		if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), `"sums"`) {
			t.Errorf("%s: in its place is %s, %v", dir, data, err)
		}
	}
}

// What a Job has counted is on disk before its pod is let go; a pod that is gone and was not counted is counted still, and a
// file that cannot be believed is set aside.
func TestFiles(t *testing.T) {
	w := newWorld(t, jobText)
	status := func() batchv1.JobStatus { return w.m.get(kindJob, "default", "sums").object.(*batchv1.Job).Status }
	first := w.alive()[0]
	w.l.finish(first, corev1.PodSucceeded, w.now)
	w.start() // before anybody looked
	w.take()
	if s := status(); s.Succeeded != 1 || len(w.l.pods[first.UID].Finalizers) != 0 {
		t.Errorf("%+v", s)
	}
	second := w.alive()[0]
	w.l.finish(second, corev1.PodSucceeded, w.now)
	delete(w.l.pods, second.UID) // it goes before anybody looked
	w.m.ForgetPod(second.UID)
	w.start()
	w.take()
	if s := status(); s.Succeeded != 2 || s.CompletionTime == nil || len(w.alive()) != 0 {
		t.Errorf("%+v, %d pods", s, len(w.alive()))
	}
	w.disk.Wait()
	for _, dir := range []string{"run", "root"} {
		if err := os.WriteFile(filepath.Join(w.dir, dir, "job_default_sums.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clear(w.l.pods)
	w.start()
	w.take()
	if s := status(); s.Succeeded != 0 || len(w.alive()) != 1 {
		t.Errorf("after damage %+v", s)
	}
	w.folder()
	w.disk.Wait()
	for _, dir := range []string{"run", "root"} {
		list, _ := os.ReadDir(filepath.Join(w.dir, dir))
		for _, f := range list {
			if f.Name() == "job_default_sums.json" {
				t.Errorf("%s of a Job that is gone", f.Name())
			}
		}
	}
}

// An object that goes takes its pods with it; one that may be in a file that cannot be read stays.
func TestCascade(t *testing.T) {
	w := newWorld(t, setText, cronText)
	w.later(time.Hour)
	if len(w.alive()) != 3 {
		t.Fatalf("%d pods", len(w.alive()))
	}
	w.folder()
	if len(w.l.deleted) != 3 || w.m.HasSchedules() || w.m.WakeAt(w.now) != 0 {
		t.Errorf("ended: %v", w.l.deleted)
	}
}

// The pods of a suspended Job may get other resources and another place to run, unless some of them run still; nothing else may
// change, and what is refused says so until the file is as it was.
func TestSuspendedJobChanges(t *testing.T) {
	suspended := strings.Replace(jobText, "  completions: 2\n", "  completions: 2\n  suspend: true\n", 1)
	place := func(text, name string) string {
		return strings.Replace(text, "restartPolicy: Never", "nodeSelector: {disk: "+name+"}, restartPolicy: Never", 1)
	}
	w := newWorld(t, suspended)
	expect := func(what, disk string, refused bool) {
		t.Helper()
		j := w.m.get(kindJob, "default", "sums").object.(*batchv1.Job)
		if got := j.Spec.Template.Spec.NodeSelector["disk"]; got != disk || (len(w.m.Problems()) > 0) != refused {
			t.Errorf("%s: disk %q, want %q; %v", what, got, disk, w.m.Problems())
		}
	}
	w.folder(place(suspended, "ssd"))
	expect("suspended from the beginning", "ssd", false)
	if j := w.m.get(kindJob, "default", "sums").object.(*batchv1.Job); j.Spec.Template.Labels[batchv1.ControllerUidLabel] != string(j.UID) {
		t.Errorf("its pods are not its own any more: %v", j.Spec.Template.Labels)
	}
	w.folder(place(strings.Replace(suspended, "image: app", "image: app2", 1), "hdd"))
	expect("another image", "ssd", true)
	w.folder(place(jobText, "ssd"))
	expect("resumed", "ssd", false)
	if len(w.alive()) != 1 {
		t.Fatalf("%d pods", len(w.alive()))
	}
	w.folder(place(jobText, "hdd"))
	expect("while it runs", "ssd", true)
	if err := w.m.Set(objects.Key{Kind: kindJob, Namespace: "default", Name: "sums"}, "spec.suspend", true, false); err != nil {
		t.Fatal(err)
	}
	w.m.Sync(w.now)
	w.take()
	for uid := range w.l.pods {
		delete(w.l.pods, uid)
		w.m.ForgetPod(uid)
	}
	w.m.Sync(w.now)
	w.folder(place(jobText, "hdd"))
	expect("suspended by hand, no pod is left", "hdd", false)
	w.start()
	w.take()
	expect("after a death", "hdd", false)
}
