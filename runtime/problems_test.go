package runtime

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/objects"
)

// shownPods are the pods that clients see, each with its condition podd.dev/ManifestAccepted or the sentence it stands for.
func (w *world) shownPods() []string {
	var list []string
	pods, _ := w.d.r.store.Pods()
	for _, p := range pods {
		text := p.Status.Message
		for _, c := range p.Status.Conditions {
			if c.Type == api.ManifestAccepted {
				text = c.Reason + ": " + c.Message
			}
		}
		list = append(list, p.Name+" "+string(p.Status.Phase)+": "+text)
	}
	return list
}

// TestOnePodOfAName: one namespace and name is one pod in the API, whatever files say of it, and its condition stays over its
// deletion by hand.
func TestOnePodOfAName(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.desired["web"] = modelPod("web", 1, 0)
	problem := func(file, message string) manifest.Problem {
		return manifest.Problem{File: file, Namespace: "default", Name: "web", Reason: "Refused", Message: message}
	}
	w.problems = []manifest.Problem{problem("a.yaml", "one"), problem("b.yaml", "two"), {File: "web.yaml", Reason: "Refused", Message: "three"}}
	rest := func(want ...string) {
		t.Helper()
		if err := w.rest(); err != nil {
			t.Fatal(err)
		}
		if got := w.shownPods(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	rest("web Running: Refused: one; two; three")
	for _, p := range w.d.r.pods {
		p.Deleted = true
		w.d.r.mark(p.Record.UID)
	}
	rest("web Running: Refused: one; two; three")
	delete(w.desired, "web")
	w.d.r.inbox.put(msgManifests{})
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if got := w.shownPods(); len(got) != 1 || !strings.HasPrefix(got[0], "web Running") {
		t.Errorf("while the pod ends: %q", got)
	}
	rest("web Pending: one; two; three")
	w.problems = nil
	w.d.r.inbox.put(msgManifests{})
	rest()
}

// TestFileWithoutObjects: a file of comments, or of null, is a warning to those who list pods, and no pod.
func TestFileWithoutObjects(t *testing.T) {
	w := newWorld(t, t.TempDir())
	_, w.problems = manifest.Parse("notes.yaml", []byte("# later\n---\nnull\n"))
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if got := w.shownPods(); len(got) != 0 {
		t.Errorf("shown: %q", got)
	}
	if got := w.d.r.store.ObjectProblems(""); len(got) != 1 || !strings.Contains(got[0], "holds no manifest") {
		t.Errorf("warnings: %q", got)
	}
}

// checkNames holds that at any step of any sequence.
func (w *world) checkNames(pods []*corev1.Pod) error {
	seen := map[string]bool{}
	for _, p := range pods {
		if key := p.Namespace + "/" + p.Name; seen[key] {
			return fmt.Errorf("two pods %s are shown", key)
		} else {
			seen[key] = true
		}
	}
	return nil
}

// TestImageOfAVolumeIsMissing: a container whose volume shows an image that does not come waits as for an image of its own,
// and a volume that nobody mounts holds nothing up.
func TestImageOfAVolumeIsMissing(t *testing.T) {
	w := newWorld(t, t.TempDir())
	volume := func(name string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "data", PullPolicy: corev1.PullIfNotPresent}}}
	}
	idle, shows := modelPod("idle", 1, 0), modelPod("shows", 1, 0)
	idle.Spec.Volumes, shows.Spec.Volumes = []corev1.Volume{volume("v")}, []corev1.Volume{volume("v")}
	shows.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
	w.desired["idle"], w.desired["shows"] = idle, shows
	shown := func() map[string]string {
		out := map[string]string{}
		pods, _ := w.d.r.store.Pods()
		for _, p := range pods {
			out[p.Name] = string(p.Status.Phase)
			if s := p.Status.ContainerStatuses; len(s) > 0 && s[0].State.Waiting != nil {
				out[p.Name] += " " + s[0].State.Waiting.Reason + ": " + s[0].State.Waiting.Message
			}
		}
		return out
	}
	play := func(kind string, n, m int) {
		t.Helper()
		if err := w.do(move{kind, n, m}); err != nil {
			t.Fatal(err)
		}
	}
	play("time", 0, 0)
	for range 10 {
		play("advance", 0, 0)
	}
	if len(w.d.pulls) != 1 {
		t.Fatalf("%d images are pulled, want that of the volume", len(w.d.pulls))
	}
	w.d.finishPull(0, 1)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	seen := shown()
	for range 10 {
		play("advance", 0, 0)
	}
	backs := shown()
	if got := seen["shows"]; !strings.HasPrefix(got, "Pending ErrImagePull: ") {
		t.Errorf("after the pull: %q", got)
	}
	if got := backs["shows"]; !strings.HasPrefix(got, `Pending ImagePullBackOff: Back-off pulling image "data": ErrImagePull: `) {
		t.Errorf("then: %q", got)
	}
	if got := backs["idle"]; got != "Running" {
		t.Errorf("the pod that does not mount it: %q", got)
	}
}

// TestRefusedWorkloads: a workload that was never good is shown, with its sentence, and a pod stands for those that it would
// make; one that was good goes on and says so; both end when the file is mended.
func TestRefusedWorkloads(t *testing.T) {
	w := workloadWorld(t)
	w.desired["db"] = modelPod("db", 1, 0)
	w.workloads["web.yaml"] = deploymentYAML(1, "app")
	refused := func(kind, name, reason string) manifest.Problem {
		return manifest.Problem{File: "bad.yaml", Kind: kind, Namespace: "default", Name: name, Reason: reason, Message: kind + " " + name + " is bad"}
	}
	all := func() (list []string) {
		for _, kind := range []string{"Deployment", "StatefulSet", "CronJob", "PodDisruptionBudget"} {
			found, _ := w.d.r.store.Objects(kind)
			for _, o := range found {
				reason, message := annotation.ProblemOf(o)
				list = append(list, strings.TrimSpace(fmt.Sprintf("%s/%s %s %s", kind, o.GetName(), reason, message)))
			}
		}
		slices.Sort(list)
		return list
	}
	pods := func() (list []string) {
		for _, text := range w.shownPods() {
			if !strings.HasPrefix(text, "web-") {
				list = append(list, text)
			}
		}
		return list
	}
	expect := func(objects, shown []string) {
		t.Helper()
		if w.d != nil {
			w.d.r.inbox.put(msgManifests{})
		}
		if err := w.rest(); err != nil {
			t.Fatal(err)
		}
		if got := all(); !slices.Equal(got, objects) {
			t.Errorf("objects %q, want %q", got, objects)
		}
		if got := pods(); !slices.Equal(got, shown) {
			t.Errorf("pods %q, want %q", got, shown)
		}
		if got := w.running(); got["app"] != 2 {
			t.Errorf("%v run", got)
		}
	}
	w.problems = []manifest.Problem{
		refused("Deployment", "web", "ImmutableObject"), refused("Deployment", "db", "InvalidManifest"), refused("StatefulSet", "queue", "InvalidManifest"),
		refused("CronJob", "queue", "UnsupportedField"), refused("PodDisruptionBudget", "web", "InvalidManifest"),
		{File: "nameless.yaml", Kind: "Deployment", Reason: "InvalidManifest", Message: "no name"},
	}
	bad := []string{
		"CronJob/queue UnsupportedField CronJob queue is bad", "Deployment/db InvalidManifest Deployment db is bad", "Deployment/nameless InvalidManifest no name",
		"Deployment/web ImmutableObject Deployment web is bad", "PodDisruptionBudget/web InvalidManifest PodDisruptionBudget web is bad",
		"StatefulSet/queue InvalidManifest StatefulSet queue is bad",
	}
	shown := []string{"db Running: ", "nameless Pending: no name", "queue Pending: CronJob queue is bad; StatefulSet queue is bad"}
	expect(bad, shown)
	w.die()
	expect(bad, shown)
	if err := w.d.r.controllers.Set(objects.Key{Kind: "StatefulSet", Namespace: "default", Name: "queue"}, "spec.replicas", 2, false); err == nil || !strings.Contains(err.Error(), "is bad") {
		t.Errorf("scaling what was refused: %v", err)
	}
	stood, _ := w.d.r.store.Pods()
	for _, p := range stood {
		if p.Name == "queue" && (len(p.OwnerReferences) != 1 || p.Spec.NodeName != "") {
			t.Errorf("%+v", p)
		}
	}
	w.problems = w.problems[:1]
	w.workloads["queue.yaml"] = strings.ReplaceAll(deploymentYAML(0, "app"), "web", "queue")
	expect([]string{"Deployment/queue", "Deployment/web ImmutableObject Deployment web is bad"}, []string{"db Running: "})
	w.problems = nil
	expect([]string{"Deployment/queue", "Deployment/web"}, []string{"db Running: "})
}
