package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/objects"
	"podd/runtime/workload"
)

const deploymentText = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: one}]}
`

func key(kind, name string) objects.Key {
	return objects.Key{Kind: kind, Namespace: "default", Name: name}
}

// serve lets all pods run and serve, and those that were told to end be gone.
func (w *world) serve() {
	w.t.Helper()
	for range 20 {
		for uid, p := range w.l.pods {
			switch {
			case w.m.ending[uid]:
				delete(w.l.pods, uid)
				w.m.ForgetPod(uid)
			case !workload.Ready(p):
				w.show(p, true)
			}
		}
		w.m.Sync(w.now)
	}
}

// show lets a pod run, and serve or not.
func (w *world) show(p *corev1.Pod, ready bool) {
	p = p.DeepCopy()
	p.Status.Phase = corev1.PodRunning
	status := map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}[ready]
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	w.l.pods[p.UID] = p
	w.m.NotePod(p, w.now)
}

func (w *world) deployment() *appsv1.Deployment {
	return w.m.get(kindDeployment, "default", "web").object.(*appsv1.Deployment)
}

// A pod that does not serve any more long after a rollout has no controller look at it again and again.
func TestRestAfterARollout(t *testing.T) {
	w := newWorld(t, deploymentText)
	w.serve()
	if got := w.deployment().Status; got.AvailableReplicas != 2 {
		t.Fatalf("%+v", got)
	}
	w.later(24 * time.Hour)
	var log strings.Builder
	w.m.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.show(w.alive()[0], false)
	w.m.Sync(w.now)
	if log.Len() > 0 {
		t.Error(log.String())
	}
	if got := w.deployment().Status; got.AvailableReplicas != 1 {
		t.Errorf("%+v", got)
	}
	if w.m.Due(w.now) || w.m.WakeAt(w.now) != 0 {
		t.Errorf("looks again: due %v, at %v", w.m.Due(w.now), w.m.WakeAt(w.now))
	}
}

// What is set by hand is judged by the API server's rules, holds until the file changes that field, and is shown.
func TestSetByHand(t *testing.T) {
	w := newWorld(t, deploymentText, jobText)
	shown := func() string { return w.deployment().Annotations[annotation.OverridesKey] }
	set := func(path string, value any, dry bool) string {
		err := w.m.Set(key(kindDeployment, "web"), path, value, dry)
		w.m.Sync(w.now)
		if err != nil {
			return err.Error()
		}
		return ""
	}
	generation := w.deployment().Generation
	for _, c := range []struct {
		name, path string
		value      any
		dry        bool
		err        string
		replicas   int32
		shown      string
		changes    bool
	}{
		{"judged alone", "spec.replicas", 5, true, "", 2, "", false},
		{"refused", "spec.replicas", -1, false, "must be greater than or equal to 0", 2, "", false},
		{"refused when judged alone", "spec.replicas", -1, true, "must be greater than or equal to 0", 2, "", false},
		{"no number", "spec.replicas", "five", false, "cannot unmarshal", 2, "", false},
		{"no JSON", "spec.replicas", func() {}, false, "unsupported type", 2, "", false},
		{"five", "spec.replicas", 5, false, "", 5, "spec.replicas", true},
		{"five again", "spec.replicas", 5, false, "", 5, "spec.replicas", false},
		{"and paused", "spec.paused", true, false, "", 5, "spec.paused,spec.replicas", true},
		{"paused no more", "spec.paused", nil, false, "", 5, "spec.replicas", true},
		{"what the file says", "spec.replicas", 2, false, "", 2, "", true},
	} {
		err := set(c.path, c.value, c.dry)
		if (err == "") != (c.err == "") || !strings.Contains(err, c.err) {
			t.Errorf("%s: %q, want %q", c.name, err, c.err)
		}
		d := w.deployment()
		if *d.Spec.Replicas != c.replicas || shown() != c.shown || (d.Generation > generation) != c.changes {
			t.Errorf("%s: %d replicas, shows %q, generation %d after %d", c.name, *d.Spec.Replicas, shown(), d.Generation, generation)
		}
		generation = d.Generation
	}

	set("spec.replicas", 4, false)
	w.folder(strings.Replace(deploymentText, "image: one", "image: two", 1), jobText)
	if got := *w.deployment().Spec.Replicas; got != 4 || shown() != "spec.replicas" {
		t.Errorf("after an edit of another field: %d, %q", got, shown())
	}
	w.start()
	w.take()
	if got := *w.deployment().Spec.Replicas; got != 4 {
		t.Errorf("after a death: %d", got)
	}
	w.folder(strings.Replace(deploymentText, "replicas: 2", "replicas: 3", 1), jobText)
	if got := *w.deployment().Spec.Replicas; got != 3 || shown() != "" {
		t.Errorf("after an edit of the field: %d, %q", got, shown())
	}

	rs := w.m.sorted()[slices.IndexFunc(w.m.sorted(), func(e *entry) bool { return e.key.Kind == kindReplicaSet })].key
	w.m.SetProblems(map[objects.Key]manifest.Problem{key(kindJob, "bad"): {Message: "spec.template: Required value"}}, w.now)
	for _, c := range []struct {
		key  objects.Key
		path string
		want string
	}{
		{key(kindDeployment, "none"), "spec.replicas", `Deployment "none": `},
		{key(kindJob, "bad"), "spec.suspend", `Job "bad" was refused: spec.template: Required value`},
		{rs, "spec.replicas", fmt.Sprintf(`ReplicaSet %q belongs to Deployment "web": change that`, rs.Name)},
	} {
		err := w.m.Set(c.key, c.path, 1, false)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || errors.Is(err, ErrNotFound) != strings.Contains(c.want, "none") {
			t.Errorf("%v: %v", c.key, err)
		}
		if err := w.m.Restart(c.key, w.now, false); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("restart of %v: %v", c.key, err)
		}
		if _, err := w.m.Undo(c.key, Revision{}, false); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("undo of %v: %v", c.key, err)
		}
	}
}

// kubectl's way to restart: an annotation with the time, which makes another template.
func TestRestart(t *testing.T) {
	w := newWorld(t, deploymentText, budgetText)
	w.serve()
	first := w.alive()[0].UID
	if err := w.m.Restart(key(kindDeployment, "web"), w.now, true); err != nil || len(w.deployment().Spec.Template.Annotations) > 0 {
		t.Errorf("judged alone: %v, %v", err, w.deployment().Spec.Template.Annotations)
	}
	if err := w.m.Restart(key(kindDeployment, "web"), w.now, false); err != nil {
		t.Fatal(err)
	}
	w.m.Sync(w.now)
	w.serve()
	if got := w.deployment().Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"]; got != "2026-03-01T12:00:00Z" {
		t.Errorf("restarted at %q", got)
	}
	if len(w.alive()) != 2 || w.l.pods[first] != nil {
		t.Errorf("%d pods, the first is there: %v", len(w.alive()), w.l.pods[first] != nil)
	}
	if err := w.m.Restart(key(kindBudget, "web"), w.now, false); err == nil || err.Error() != `PodDisruptionBudget "web" has no pods to restart` {
		t.Errorf("%v", err)
	}
}

// Each way to ask for an earlier revision, in kubectl's words.
func TestUndo(t *testing.T) {
	image := func(name string) string { return strings.Replace(deploymentText, "image: one", "image: "+name, 1) }
	w := newWorld(t, deploymentText)
	undo := func(to Revision, dry bool) string {
		said, err := w.m.Undo(key(kindDeployment, "web"), to, dry)
		if err != nil {
			said = err.Error()
		}
		w.m.Sync(w.now)
		w.serve()
		return said + ": " + w.deployment().Spec.Template.Spec.Containers[0].Image
	}
	w.serve()
	if got := undo(Revision{}, false); got != `no rollout history found for deployment "web": one` {
		t.Errorf("of one revision: %s", got)
	}
	w.folder(image("two"))
	w.serve()
	w.folder(image("three"))
	w.serve()
	template := w.deployment().Spec.Template.DeepCopy()
	template.Spec.Containers[0].Image = "one"
	other := template.DeepCopy()
	other.Spec.Containers[0].Image = "never"
	for _, c := range []struct {
		name string
		to   Revision
		dry  bool
		want string
	}{
		{"judged alone", Revision{}, true, "rolled back: three"},
		{"the present one", Revision{Number: 3}, false, "skipped rollback (current template already matches revision 3): three"},
		{"one that there is not", Revision{Number: 9}, false, "unable to find specified revision 9 in history: three"},
		{"a template that was not", Revision{Template: other}, false, "of spec.template only a kept revision can be put back here: the rest changes with the file: three"},
		{"the one before", Revision{}, false, "rolled back: two"},
		{"the one before that, which is the last but for it", Revision{}, false, "rolled back: three"},
		{"a number", Revision{Number: 1}, false, "rolled back: one"},
		{"a number that has gone on", Revision{Number: 1}, false, "unable to find specified revision 1 in history: one"},
		{"a template that is the present", Revision{Template: template}, false, "skipped rollback (current template already matches revision 6): one"},
	} {
		if got := undo(c.to, c.dry); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := w.m.Set(key(kindDeployment, "web"), "spec.paused", true, false); err != nil {
		t.Fatal(err)
	}
	if got := undo(Revision{}, false); got != "you cannot rollback a paused deployment; resume it first with 'podd rollout resume deployment/web' and try again: one" {
		t.Errorf("paused: %s", got)
	}
}

// What is wrong with a file is shown on the object that there is, since when it is so; of one that never was it is told.
func TestSetProblems(t *testing.T) {
	w := newWorld(t, deploymentText)
	bad := manifest.Problem{File: "0.yaml", Kind: kindDeployment, Namespace: "default", Name: "web", Message: "why"}
	never := manifest.Problem{File: "1.yaml", Kind: kindJob, Namespace: "default", Name: "sums", Message: "why not"}
	problems := map[objects.Key]manifest.Problem{key(kindDeployment, "web"): bad, key(kindJob, "sums"): never}
	if got := w.m.SetProblems(problems, w.now); len(got) != 1 || got[0].Name != "sums" {
		t.Errorf("%+v", got)
	}
	first := w.m.refused[key(kindDeployment, "web")]
	if first.problem.Message != "why" || !first.since.Time.Equal(w.now.Wall) {
		t.Errorf("%+v", first)
	}
	w.later(time.Minute)
	w.m.SetProblems(problems, w.now)
	if again := w.m.refused[key(kindDeployment, "web")]; !again.since.Equal(&first.since) {
		t.Errorf("the same is refused since %v and then %v", first.since, again.since)
	}
	bad.Message = "another why"
	w.m.SetProblems(map[objects.Key]manifest.Problem{key(kindDeployment, "web"): bad}, w.now)
	if again := w.m.refused[key(kindDeployment, "web")]; !again.since.Time.Equal(w.now.Wall) {
		t.Errorf("another is refused since %v", again.since)
	}
	if w.m.SetProblems(nil, w.now); len(w.m.refused)+len(w.m.never) > 0 {
		t.Errorf("%v, %v", w.m.refused, w.m.never)
	}
}

// A pod is evicted if each budget of it allows that; one that was told to end counts as ending at once.
func TestMayEvict(t *testing.T) {
	nobody := func(types.UID) bool { return false }
	w := newWorld(t, deploymentText)
	w.serve()
	a, b := w.alive()[0], w.alive()[1]
	if no := w.m.MayEvict(a, nobody, w.now); no != nil {
		t.Errorf("without a budget: %+v", no)
	}
	w.folder(deploymentText, budgetText)
	w.m.Sync(w.now)
	if no := w.m.MayEvict(a, nobody, w.now); no != nil {
		t.Errorf("one of two, one must stay: %+v", no)
	}
	if no := w.m.MayEvict(a, func(uid types.UID) bool { return uid == b.UID }, w.now); no == nil {
		t.Error("the other ends already")
	}
	w.show(b, false)
	w.m.Sync(w.now)
	if no := w.m.MayEvict(a, nobody, w.now); no == nil {
		t.Error("the other does not serve")
	}
	stranger := a.DeepCopy()
	stranger.Namespace = "other"
	if no := w.m.MayEvict(stranger, nobody, w.now); no != nil {
		t.Errorf("of another namespace: %+v", no)
	}
}

// Of pods that controllers have made, a hundred are kept when they have ended, the latest; those that somebody must
// count stay, and those of the folder.
func TestCollectFinished(t *testing.T) {
	w := newWorld(t)
	add := func(i int, change func(*corev1.Pod)) {
		p := &corev1.Pod{}
		p.Name, p.Namespace, p.UID = fmt.Sprintf("p%03d", i), "default", types.UID(fmt.Sprint(i))
		p.CreationTimestamp.Time = w.now.Wall.Add(time.Duration(i/2) * time.Second)
		p.Status.Phase = corev1.PodSucceeded
		if change != nil {
			change(p)
		}
		w.l.pods[p.UID] = p
		w.m.NotePod(p, w.now)
	}
	add(0, func(p *corev1.Pod) { p.Finalizers = []string{batchv1.JobTrackingFinalizer} })
	add(1, func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning })
	for i := 2; i < 101; i++ {
		add(i, nil)
	}
	if len(w.l.deleted) > 0 {
		t.Fatalf("of a hundred %v go", w.l.deleted)
	}
	for i := 101; i < 104; i++ {
		add(i, nil)
	}
	if got := strings.Join(w.l.deleted, " "); got != "p002 p003 p004" {
		t.Errorf("%s go", got)
	}
}

// Each kind is written and read back as itself, and has a spec; what cannot be an object of it is refused.
func TestKinds(t *testing.T) {
	for _, kind := range []string{kindDeployment, kindReplicaSet, kindStateful, kindDaemon, kindRevision, kindJob, kindCron, kindBudget, kindController, kindClaim} {
		o := blank(kind)
		o.SetName("x")
		o.SetUID("uid")
		if got := versionOf(o); got.kind != kind || kindOf(o) != kind {
			t.Errorf("%s is %+v", kind, got)
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(kind, data)
		if err != nil || fmt.Sprintf("%T", again) != fmt.Sprintf("%T", o) || again.GetName() != "x" {
			t.Errorf("%s: %T, %v", kind, again, err)
		}
		if has := specOf(o) != nil; has != acts(kind) || Shows(kind) != acts(kind) {
			t.Errorf("%s has a spec: %v, is acted for: %v", kind, has, acts(kind))
		}
		takeStatus(o, blank(kind)) // of every kind
		if makes := templateOf(o) != nil; makes != (acts(kind) && kind != kindBudget && kind != kindController) {
			t.Errorf("%s makes pods: %v", kind, makes)
		}
		for _, bad := range []string{"", "{", "[]", "{}", `{"metadata":{"name":"x"}}`, `{"metadata":{"uid":"u"}}`} {
			if got, err := decode(kind, []byte(bad)); err == nil {
				t.Errorf("%s of %q: %+v", kind, bad, got)
			}
		}
	}
	if _, err := decode("Pod", []byte(`{"metadata":{"name":"x","uid":"u"}}`)); err == nil || err.Error() != "kind Pod is not known" {
		t.Errorf("%v", err)
	}
	from := &policyv1.PodDisruptionBudget{Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 3}}
	to := &policyv1.PodDisruptionBudget{}
	if takeStatus(to, from); to.Status.DisruptionsAllowed != 3 {
		t.Error("the status is not taken")
	}
}

// The fields that are set are found, made and taken away wherever they are, on a copy.
func TestFields(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Name, d.Spec.Replicas = "web", new(int32(2))
	for path, want := range map[string]string{"spec.replicas": "2", "metadata.name": `"web"`, "spec.paused": "", "spec.replicas.more": "", "nothing": "", "spec.none.more": ""} {
		if got := string(fieldOf(d, path)); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for _, c := range []struct{ path, value, want string }{
		{"spec.replicas", "5", "5"},
		{"spec.replicas", "", ""},
		{"spec.paused", "true", "true"},
		{"spec.strategy.type", `"Recreate"`, `"Recreate"`},
		{"metadata.labels.app", `"x"`, `"x"`},
	} {
		changed, err := withField(d, c.path, json.RawMessage(c.value))
		if err != nil || string(fieldOf(changed, c.path)) != c.want {
			t.Errorf("%s=%s: %s, %v", c.path, c.value, fieldOf(changed, c.path), err)
		}
		if *d.Spec.Replicas != 2 || d.Spec.Paused || d.Labels != nil {
			t.Fatal("wrote into the object")
		}
	}
	if _, err := withField(d, "spec.replicas", json.RawMessage(`"many"`)); err == nil {
		t.Error("a word for a number")
	}
}
