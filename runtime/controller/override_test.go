package controller

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest/annotation"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// mortal is a loop in whose hands the daemon dies at a certain call: before it is carried out.
type mortal struct {
	*loop
	calls, dieAt int
}

// death is what the daemon dies of.
type death struct{}

func (l *mortal) call() {
	if l.calls++; l.calls == l.dieAt {
		panic(death{})
	}
}

func (l *mortal) CreatePod(p *corev1.Pod, o Origin, now state.Instant) error {
	l.call()
	p = p.DeepCopy()
	if p.Annotations == nil {
		p.Annotations = map[string]string{}
	}
	p.Annotations["pins"] = fmt.Sprint(o.Pins)
	return l.loop.CreatePod(p, o, now)
}

func (l *mortal) UpdatePod(p *corev1.Pod, now state.Instant) {
	l.call()
	l.loop.UpdatePod(p, now)
}

func (l *mortal) DeletePod(uid types.UID, now state.Instant) {
	l.call()
	p, at := *l.pods[uid], metav1.NewTime(now.Wall)
	p.DeletionTimestamp = &at
	l.pods[uid] = &p
}

// drama is a world whose pods run: those of the image bad are never ready.
type drama struct {
	*world
	l    *mortal
	cut  bool // the power goes, and all but what is on flash
	died bool
}

// do does something of the daemon's, which may die of it: then the next one does what a daemon does that starts.
func (d *drama) do(what func()) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case death{}:
			d.died = true
			d.l.calls++ // it does not die twice
			d.rise()
		default:
			panic(r)
		}
	}()
	what()
}

// rise begins the life of the next daemon.
func (d *drama) rise() {
	d.disk.Wait()
	if d.cut {
		clear(d.l.pods)
		files, err := os.ReadDir(filepath.Join(d.dir, "run"))
		if err != nil {
			d.t.Fatal(err)
		}
		for _, f := range files {
			if err := os.Remove(filepath.Join(d.dir, "run", f.Name())); err != nil {
				d.t.Fatal(err)
			}
		}
		d.now.Mono = state.BootTime(time.Minute)
	}
	d.world.start()
	d.m.Loop = d.l
	d.take()
}

// play lets time pass.
func (d *drama) play(t time.Duration) {
	const step = 10 * time.Second
	for range int(t / step) {
		d.now.Wall, d.now.Mono = d.now.Wall.Add(step), d.now.Mono.Add(step)
		for uid, p := range d.l.pods {
			image := p.Spec.Containers[0].Image
			switch {
			case p.DeletionTimestamp != nil:
				delete(d.l.pods, uid)
				d.m.ForgetPod(uid)
			case image != "bad" && p.Status.Phase != corev1.PodRunning:
				p = p.DeepCopy()
				p.Status.Phase = corev1.PodRunning
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(d.now.Wall)}}
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Image: image, ImageID: "sha256:" + image}}
				d.l.pods[uid] = p
				d.m.NotePod(p, d.now)
			}
		}
		d.do(func() { d.m.Sync(d.now) })
	}
}

// edit is a new version of the file.
func (d *drama) edit(text string) { d.do(func() { d.folder(text) }) }

// runs are the images of the pods, with what they are pinned to.
func (d *drama) runs() string {
	all := map[string]int{}
	for _, p := range d.l.pods {
		if p.DeletionTimestamp == nil {
			all[p.Spec.Containers[0].Image+" "+p.Annotations["pins"]]++
		}
	}
	return fmt.Sprint(all)
}

// A version that does not come to serve is put back to the last good one, by the IDs of its images, until the file has another; what is
// undone by hand holds as long. All of that is so whenever the daemon dies, or the power goes: at each of its calls once.
func TestPutBackWheneverItDies(t *testing.T) {
	for kind, spec := range map[string]string{"Deployment": "replicas: 2\n  strategy: {type: Recreate}", "StatefulSet": "replicas: 1\n  serviceName: web", "DaemonSet": "updateStrategy: {type: RollingUpdate}"} {
		n := 2
		if kind != "Deployment" {
			n = 1
		}
		text := func(image, more string) string {
			return fmt.Sprintf(`apiVersion: apps/v1
kind: %s
metadata: {name: web, annotations: {podd.dev/rollback: "true", podd.dev/progress-deadline: "60"}}
spec:
  %s
  revisionHistoryLimit: 5%s
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: %s}]}}
`, kind, spec, more, image)
		}
		key := objects.Key{Kind: kind, Namespace: "default", Name: "web"}
		all := 1
		for _, cut := range []bool{false, true} {
			for dieAt := 0; dieAt <= all; dieAt++ {
				d := &drama{world: newWorld(t), cut: cut}
				d.l = &mortal{loop: d.world.l, dieAt: dieAt}
				d.m.Loop = d.l
				when := fmt.Sprintf("%s, death at call %d, power cut %t", kind, dieAt, cut)
				expect := func(what, image, pins, overrides string) {
					t.Helper()
					e := d.m.get(kind, "default", "web")
					if e == nil {
						t.Fatalf("%s: %s: it is gone", when, what)
					}
					want := fmt.Sprint(map[string]int{image + " " + pins: n})
					got := e.object.GetAnnotations()[annotation.OverridesKey]
					if templateOf(e.object).Spec.Containers[0].Image != image || got != overrides || d.runs() != want {
						t.Errorf("%s: %s: %s runs, want %s; overrides %q, want %q", when, what, d.runs(), want, got, overrides)
					}
				}
				d.edit(text("one", ""))
				d.play(2 * time.Minute)
				expect("the first version", "one", "map[]", "")
				d.edit(text("bad", ""))
				d.play(5 * time.Minute)
				expect("put back", "one", "map[main:sha256:one]", "spec.template")
				if p := d.m.Problems(); len(p) != 1 || p[0].Reason != reasonRolledBack {
					t.Errorf("%s: %v", when, p)
				}
				d.edit(text("bad", "\n  minReadySeconds: 1"))
				d.play(2 * time.Minute)
				expect("an edit of another field", "one", "map[main:sha256:one]", "spec.template")
				d.edit(text("two", ""))
				d.play(2 * time.Minute)
				expect("a further version", "two", "map[]", "")
				undone := false
				for !undone { // whose answer did not come asks again
					d.do(func() {
						said, err := d.m.Undo(key, Revision{Number: revisionOfImage(d.m, key, "one")}, false)
						if err != nil {
							t.Fatalf("%s: %v", when, err)
						}
						undone = said == "rolled back" || strings.HasPrefix(said, "skipped")
					})
				}
				d.do(d.rise) // the answer has come: it holds
				d.play(2 * time.Minute)
				expect("undone by hand", "one", "map[]", "spec.template")
				d.edit(text("three", ""))
				d.play(2 * time.Minute)
				expect("edited after that", "three", "map[]", "")
				if dieAt == 0 {
					all = d.l.calls
				} else if !d.died {
					t.Errorf("%s: it did not die", when)
				}
				if t.Failed() {
					return
				}
			}
		}
		t.Logf("%s: %d calls", kind, all)
	}
}

// revisionOfImage is the number of the revision whose pods have an image.
func revisionOfImage(m *Manager, key objects.Key, image string) int64 {
	for _, r := range m.overrides().revisions(m.get(key.Kind, key.Namespace, key.Name)) {
		if r.Template.Spec.Containers[0].Image == image {
			return r.Number
		}
	}
	return -1
}
