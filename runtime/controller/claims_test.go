package controller

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/objects"
	"podd/runtime/state"
)

const databaseText = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Delete}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: one}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func (w *world) claims() string {
	var list []string
	for key := range w.m.claims {
		list = append(list, key.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Claims of a StatefulSet outlive daemon and boot, and go when all their owners have and nobody uses them any more.
func TestClaimsOfAStatefulSet(t *testing.T) {
	w := newWorld(t, databaseText)
	w.serve()
	if got := w.claims(); got != "data-db-0 data-db-1" {
		t.Fatalf("claims %s", got)
	}
	uid := w.m.claims[key(kindClaim, "data-db-0")].UID
	w.start()
	if got := w.claims(); got != "data-db-0 data-db-1" || w.m.claims[key(kindClaim, "data-db-0")].UID != uid {
		t.Errorf("after a death: %s", got)
	}
	w.take()
	if w.m.Objects.Get(kindClaim, "default", "data-db-1") == nil {
		t.Error("a claim is not shown to those who bind it")
	}

	w.folder(strings.Replace(databaseText, "replicas: 2", "replicas: 1", 1))
	if got := w.claims(); got != "data-db-0 data-db-1" {
		t.Errorf("while the pod of the number ends: %s", got)
	}
	w.serve()
	if got := w.claims(); got != "data-db-0" {
		t.Errorf("when it is gone: %s", got)
	}
	w.folder()
	w.serve()
	if got := w.claims(); got != "" {
		t.Errorf("when the set is gone: %s", got)
	}
	w.start()
	if got := w.claims(); got != "" {
		t.Errorf("they come back: %s", got)
	}
}

// What keeps a claim: no policy, a pod that uses it, or that it is one of the folder.
func TestClaimsThatStay(t *testing.T) {
	w := newWorld(t, strings.Replace(databaseText, "  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Delete}\n", "", 1))
	w.serve()
	w.folder()
	w.serve()
	if got := w.claims(); got != "data-db-0 data-db-1" {
		t.Errorf("without a policy: %s", got)
	}

	w = newWorld(t, databaseText)
	w.serve()
	user := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "backup", Namespace: "default", UID: "backup"}, Spec: corev1.PodSpec{Volumes: []corev1.Volume{{
		Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-db-0"}},
	}}}}
	w.m.NotePod(user, w.now)
	w.folder()
	w.serve()
	if got := w.claims(); got != "data-db-0" {
		t.Errorf("while another pod uses one: %s", got)
	}
	done := user.DeepCopy()
	done.Status.Phase = corev1.PodSucceeded
	w.m.NotePod(done, w.now)
	w.m.ForgetPod("backup")
	w.m.Sync(w.now)
	if got := w.claims(); got != "" {
		t.Errorf("when that is over: %s", got)
	}

	own := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-db-0}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
	w = newWorld(t, databaseText, own)
	w.serve()
	if got := w.claims(); got != "data-db-1" {
		t.Errorf("one is of the folder: %s", got)
	}
}

// A file of claims that cannot be believed is set aside, and costs nothing else.
func TestDamagedClaims(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "{", "a claim that is none": `{"claims":[null]}`, "without a name": `{"claims":[{"metadata":{"namespace":"default","uid":"u"}}]}`,
		"without a namespace": `{"claims":[{"metadata":{"name":"x","uid":"u"}}]}`, "without a UID": `{"claims":[{"metadata":{"name":"x","namespace":"default"}}]}`,
	} {
		w := newWorld(t, databaseText)
		w.serve()
		w.disk.Wait()
		file := filepath.Join(w.dir, "root", "claims")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.take()
		w.disk.Wait()
		if aside, _ := filepath.Glob(file + ".damaged-*"); len(aside) != 1 {
			t.Errorf("%s: set aside: %v", name, aside)
		}
		if len(w.alive()) != 2 {
			t.Errorf("%s: %d pods", name, len(w.alive()))
		}
	}
}

// The clock of a board is set: what happened in this boot moves with it, what is older stays, and a schedule goes by the
// clock as it is.
func TestFollowClock(t *testing.T) {
	w := newWorld(t, deploymentText, cronText, jobText)
	w.serve()
	at := func(name string) time.Time {
		for _, e := range w.m.sorted() {
			if e.key.Kind == name {
				return e.object.GetCreationTimestamp().Time
			}
		}
		t.Fatalf("no %s", name)
		return time.Time{}
	}
	created, started := at(kindDeployment), w.m.get(kindJob, "default", "sums").object.(*batchv1.Job).Status.StartTime.Time
	updated := w.deployment().Status.Conditions[0].LastUpdateTime.Time
	old := w.m.get(kindCron, "default", "hourly")
	wake := old.wake
	for _, c := range []struct {
		name  string
		by    time.Duration
		moves bool
	}{
		{"drift", time.Second, false},
		{"forward", 24 * time.Hour, true},
		{"back", -25 * time.Hour, true},
	} {
		w.now.Wall = w.now.Wall.Add(c.by)
		w.m.RetryCreate()
		w.m.ClockSet()
		w.m.followClock(w.now)
		by := c.by
		if !c.moves {
			by = 0
		}
		created, started, updated = created.Add(by), started.Add(by), updated.Add(by)
		if got := at(kindDeployment); !got.Equal(created) {
			t.Errorf("%s: the Deployment was made at %v, want %v", c.name, got, created)
		}
		if got := w.m.get(kindJob, "default", "sums").object.(*batchv1.Job).Status.StartTime.Time; !got.Equal(started) {
			t.Errorf("%s: the Job started at %v, want %v", c.name, got, started)
		}
		if got := w.deployment().Status.Conditions[0].LastUpdateTime.Time; !got.Equal(updated) {
			t.Errorf("%s: the rollout got on at %v, want %v", c.name, got, updated)
		}
		if wake = wake.Add(by); !w.m.get(kindCron, "default", "hourly").wake.Equal(wake) {
			t.Errorf("%s: wakes at %v, want %v", c.name, w.m.get(kindCron, "default", "hourly").wake, wake)
		}
	}
}

// What is of an earlier boot was written by a clock that nobody can put right.
func TestShiftLeavesEarlierBoots(t *testing.T) {
	began := time.Unix(1000000, 0)
	s := shift{began, began.Add(time.Hour), 24 * time.Hour}
	for _, c := range []struct {
		name string
		at   time.Duration // after the boot began
		want time.Duration
	}{
		{"long before", -time.Hour, 0},
		{"just before, by its rounding", -time.Second, 24 * time.Hour},
		{"at the boot", 0, 24 * time.Hour},
		{"in it", 30 * time.Minute, 24 * time.Hour},
		{"now", time.Hour, 24 * time.Hour},
		{"later than now", 2 * time.Hour, 0},
	} {
		at := metav1.NewTime(began.Add(c.at))
		if got := s.moved(at); got.Sub(at.Time) != c.want {
			t.Errorf("%s: moves by %v, want %v", c.name, got.Sub(at.Time), c.want)
		}
	}
}

// A board that has not known the date begins its schedules when it learns it: it has missed nothing since 1970.
func TestScheduleBeginsWithTheDate(t *testing.T) {
	w := newWorld(t)
	w.now = state.Instant{Wall: time.Unix(100, 0), Mono: state.BootTime(100 * time.Second)}
	w.start()
	w.folder(cronText)
	w.now.Wall = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	w.m.ClockSet()
	w.m.Sync(w.now)
	e := w.m.get(kindCron, "default", "hourly")
	if got := e.object.GetCreationTimestamp(); !got.Time.Equal(w.now.Wall) {
		t.Errorf("made at %v", got)
	}
	if len(w.alive()) != 0 || !e.wake.Equal(time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("%d pods, wakes at %v", len(w.alive()), e.wake)
	}
}

// A pod of the folder that a controller has adopted and ended does not begin anew, until nobody owns it any more.
func TestEndedPodsOfTheFolder(t *testing.T) {
	w := newWorld(t)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: "default", UID: "own", Labels: map[string]string{"app": "web"}}}
	foreign := &foreignLoop{loop: w.l}
	w.m.Loop = foreign
	w.l.pods[p.UID] = p
	w.m.NotePod(p, w.now)
	w.folder(strings.Replace(setText, "replicas: 2", "replicas: 0", 1))
	if !w.m.Ended("own") || w.m.Ended("other") || !slices.Equal(w.l.deleted, []string{"own"}) {
		t.Fatalf("ended %v, deleted %v", w.m.Ended("own"), w.l.deleted)
	}
	w.start()
	w.m.Loop = foreign
	w.take()
	if !w.m.Ended("own") {
		t.Error("a death forgets it")
	}
	w.folder(strings.Replace(setText, "replicas: 2", "replicas: 1", 1))
	if w.m.Ended("own") {
		t.Error("another version does not let it begin")
	}
}

// foreignLoop has pods of the folder alone.
type foreignLoop struct{ *loop }

func (*foreignLoop) Made(types.UID) bool { return false }

// Images of versions that are put back, or can be, are in use, for a daemon and for those who look without one.
func TestImagesInUse(t *testing.T) {
	good := &goodVersion{Images: map[string]string{"main": "sha256:good"}}
	overrides := []Override{{Path: "spec.replicas"}, {Path: "spec.template", Pins: map[string]string{"main": "sha256:pinned"}}}
	w := newWorld(t, strings.Replace(deploymentText, "metadata: {name: web}", "metadata: {name: web, annotations: {podd.dev/rollback: \"true\"}}", 1))
	e := w.m.get(kindDeployment, "default", "web")
	e.good, e.overrides = good, overrides
	sorted := func(ids func(func(string) bool)) string { return fmt.Sprint(slices.Sorted(ids)) }
	if got := sorted(w.m.Images()); got != "[sha256:good sha256:pinned]" {
		t.Errorf("%s", got)
	}
	for range w.m.Images() {
		break // who has seen enough is told no more
	}
	w.m.treeFiles().save(e)
	w.m.treeFiles().write()
	w.disk.Wait()
	root := filepath.Join(w.dir, "root")
	for _, f := range []string{"damaged.json", "other.txt"} {
		if err := os.WriteFile(filepath.Join(root, f), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := sorted(ReadImages(root)); got != "[sha256:good sha256:pinned]" {
		t.Errorf("without a daemon: %s", got)
	}
	if got := sorted(ReadImages(filepath.Join(root, "nothing"))); got != "[]" {
		t.Errorf("of no folder: %s", got)
	}
}

// A DaemonSet's templates are counted from one; a number that somebody has damaged begins anew.
func TestNumberTemplate(t *testing.T) {
	set := func(image, number string) *appsv1.DaemonSet {
		d := &appsv1.DaemonSet{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		if number != "" {
			d.Annotations = map[string]string{appsv1.DeprecatedTemplateGeneration: number}
		}
		return d
	}
	for _, c := range []struct{ name, before, image, want string }{
		{"the same", "3", "one", "3"}, {"another", "3", "two", "4"}, {"damaged", "x", "one", "1"}, {"damaged, another", "x", "two", "1"}, {"none", "", "two", "1"}, {"below one", "-7", "one", "1"},
	} {
		d := set(c.image, "")
		numberTemplate(d, set("one", c.before))
		if got := d.Annotations[appsv1.DeprecatedTemplateGeneration]; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	d := set("one", "")
	if numberTemplate(d, nil); d.Annotations[appsv1.DeprecatedTemplateGeneration] != "1" {
		t.Errorf("the first: %v", d.Annotations)
	}
}

func TestCompareKeys(t *testing.T) {
	list := []objects.Key{{Kind: "A", Namespace: "a", Name: "a"}, {Kind: "B", Namespace: "a", Name: "a"}, {Kind: "A", Namespace: "a", Name: "b"}, {Kind: "A", Namespace: "b", Name: "a"}}
	for i := range list {
		for j := range list {
			if got := compareKeys(list[i], list[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%v and %v: %d", list[i], list[j], got)
			}
		}
	}
}
