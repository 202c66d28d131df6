package runtime

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/controller"
	"podd/runtime/objects"
	"podd/runtime/state"
)

func deploymentYAML(replicas int, image string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 3, containers: [{name: main, image: %s}]}
`, replicas, image)
}

func jobYAML(completions, parallelism int) string {
	return fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: %d
  parallelism: %d
  backoffLimit: 1000
  template:
    spec: {restartPolicy: Never, terminationGracePeriodSeconds: 3, containers: [{name: main, image: app}]}
`, completions, parallelism)
}

func (w *world) deployment(t testing.TB) *appsv1.Deployment {
	t.Helper()
	list, _ := w.d.r.store.Objects("Deployment")
	if len(list) != 1 {
		t.Fatalf("%d Deployments", len(list))
	}
	return list[0].(*appsv1.Deployment)
}

func (w *world) job(t testing.TB) *batchv1.Job {
	t.Helper()
	list, _ := w.d.r.store.Objects("Job")
	if len(list) != 1 {
		t.Fatalf("%d Jobs", len(list))
	}
	return list[0].(*batchv1.Job)
}

// images counts the pods that are to stay by the images that they run.
func (w *world) running() map[string]int {
	count := map[string]int{}
	for _, p := range w.d.r.pods {
		if p.Record.State == state.PodRunning && p.Record.Stop == nil {
			count[p.Record.Object.Spec.Containers[0].Image]++
		}
	}
	return count
}

func workloadWorld(t *testing.T) *world {
	w := newWorld(t, t.TempDir())
	w.workloads = map[string]string{}
	t.Cleanup(func() {
		if w.d != nil {
			w.die()
		}
	})
	return w
}

// A Deployment runs, rolls, scales and goes, and says so in its status.
func TestDeploymentOfTheFolder(t *testing.T) {
	w := workloadWorld(t)
	expect := func(what string, want map[string]int) {
		t.Helper()
		if err := w.rest(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := w.running(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v run, want %v", what, got, want)
		}
	}
	change := func(text string) {
		w.workloads["web.yaml"] = text
		if w.d != nil {
			w.d.r.inbox.put(msgManifests{})
		}
	}
	change(deploymentYAML(3, "app"))
	expect("new", map[string]int{"app": 3})
	d := w.deployment(t)
	if d.Status.ReadyReplicas != 3 || d.Status.AvailableReplicas != 3 || d.Generation != 1 || d.Status.ObservedGeneration != 1 || d.Annotations["deployment.kubernetes.io/revision"] != "1" {
		t.Errorf("%+v", d)
	}
	for _, p := range w.d.r.pods {
		o := p.Record.Object
		if ref := o.OwnerReferences; len(ref) != 1 || ref[0].Kind != "ReplicaSet" || !strings.HasPrefix(o.Name, ref[0].Name+"-") || p.Record.File != "web.yaml" || o.Labels["pod-template-hash"] == "" {
			t.Errorf("%+v", o.ObjectMeta)
		}
	}
	uid := d.UID
	change(deploymentYAML(5, "app"))
	expect("scaled", map[string]int{"app": 5})
	change(deploymentYAML(4, "app2"))
	expect("rolled", map[string]int{"app2": 4})
	if d = w.deployment(t); d.UID != uid || d.Generation != 3 || d.Annotations["deployment.kubernetes.io/revision"] != "2" || d.Status.UpdatedReplicas != 4 {
		t.Errorf("%+v", d)
	}
	// A pod that somebody deletes has a successor, of another name.
	for uid, p := range w.d.r.pods {
		w.d.r.workloads.endMade(uid)
		_ = p
		break
	}
	expect("one deleted", map[string]int{"app2": 4})
	// Over a death, and over a reboot.
	w.die()
	expect("after a death", map[string]int{"app2": 4})
	w.reboot(t)
	expect("after a reboot", map[string]int{"app2": 4})
	if d = w.deployment(t); d.UID != uid || d.Annotations["deployment.kubernetes.io/revision"] != "2" || d.Status.ReadyReplicas != 4 {
		t.Errorf("after a reboot: %+v", d)
	}
	if list, _ := w.d.r.store.Objects("ReplicaSet"); len(list) != 2 {
		t.Errorf("%d revisions are left", len(list))
	}
	change(deploymentYAML(2, "app"))
	expect("back", map[string]int{"app": 2})
	if d = w.deployment(t); d.Annotations["deployment.kubernetes.io/revision"] != "3" {
		t.Errorf("%v", d.Annotations)
	}
	delete(w.workloads, "web.yaml")
	w.d.r.inbox.put(msgManifests{})
	expect("gone", map[string]int{})
	for _, kind := range []string{"Deployment", "ReplicaSet"} {
		if list, _ := w.d.r.store.Objects(kind); len(list) > 0 {
			t.Errorf("%s: %v is left", kind, list)
		}
	}
	w.d.r.disk.Wait()
	for _, dir := range []string{"run/workloads", "root/workloads"} {
		if left, _ := os.ReadDir(w.dir + "/" + dir); len(left) > 0 {
			t.Errorf("%s: %v", dir, left)
		}
	}
}

// reboot ends the daemon, all processes, and what is on tmpfs.
func (w *world) reboot(t *testing.T) {
	t.Helper()
	if w.d != nil {
		w.die()
	}
	w.processes = map[string]*fakeProcess{}
	if err := os.RemoveAll(w.dir + "/run"); err != nil {
		t.Fatal(err)
	}
	w.now.Mono, w.now.Wall = state.BootTime(time.Minute), w.now.Wall.Add(time.Hour)
	clear(w.phases)
	clear(w.ips)
	clear(w.restarts)
	clear(w.shown)
	clear(w.exits)
	clear(w.filed)
}

// A daemon that dies at any message of a rollout changes nothing of its end, and what is available stays within its bounds.
func TestDeathsInARollout(t *testing.T) {
	stride := 3 // TestDeathsAtEveryStep leaves none out; PODD_EVERY_STEP=1 does so here
	if os.Getenv("PODD_EVERY_STEP") != "" {
		stride = 1
	}
	for at := rand.IntN(stride); ; at += stride {
		w := newWorld(t, t.TempDir())
		w.workloads = map[string]string{"web.yaml": deploymentYAML(3, "app")}
		if err := w.rest(); err != nil {
			t.Fatal(err)
		}
		w.workloads["web.yaml"] = deploymentYAML(3, "app2")
		w.d.r.inbox.put(msgManifests{})
		died := false
		for step := range 400 {
			if err := w.settle(); err != nil {
				t.Fatal(err)
			}
			running, all := w.running(), 0
			for _, n := range running {
				all += n
			}
			if all < 3 || len(w.d.r.made) > 4 {
				t.Fatalf("death at %d, step %d: %v run of %d", at, step, running, len(w.d.r.made))
			}
			if step == at {
				died = true
				w.die()
				if err := w.start(); err != nil {
					t.Fatal(err)
				}
			}
			if len(w.d.pending) > 0 {
				w.d.advance(0)
			} else if !w.endAsked() && w.running()["app2"] == 3 && w.resting() {
				break
			}
		}
		if err := w.rest(); err != nil {
			t.Fatalf("death at %d: %v", at, err)
		}
		if got := w.running(); got["app2"] != 3 || len(got) != 1 {
			t.Fatalf("death at %d: %v run", at, got)
		}
		w.die()
		if !died {
			if at < 20 {
				t.Errorf("a rollout of %d messages", at)
			}
			return
		}
	}
}

// What is counted of a Job is what its pods did, whatever dies meanwhile.
func TestJobCountsOnce(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 17))
		w := newWorld(t, t.TempDir())
		w.workloads = map[string]string{"sums.yaml": jobYAML(6, 2)}
		if err := w.start(); err != nil {
			t.Fatal(err)
		}
		codes := map[string]int{} // by pod
		for range 3000 {
			if w.d == nil {
				if err := w.start(); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.settle(); err != nil {
				t.Fatal(err)
			}
			if s := w.job(t).Status; s.CompletionTime != nil {
				break
			}
			alive := w.ids(func(p *fakeProcess) bool { return p.alive })
			switch n := rng.IntN(20); {
			case n < 2 && len(alive) > 0:
				id := alive[rng.IntN(len(alive))]
				w.exit(id, rng.IntN(2))
				codes[id] = w.exits[id]
			case n == 3:
				w.die()
			case n == 4:
				w.now.Mono, w.now.Wall = w.now.Mono.Add(30*time.Second), w.now.Wall.Add(30*time.Second)
			case len(w.d.pending) > 0:
				w.d.advance(rng.IntN(len(w.d.pending)))
			case len(w.d.pulls) > 0:
				w.d.finishPull(rng.IntN(len(w.d.pulls)), 0)
			}
		}
		if err := w.rest(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		good, bad := 0, 0
		for _, code := range codes {
			if code == 0 {
				good++
			} else {
				bad++
			}
		}
		s := w.job(t).Status
		if good != 6 || int(s.Succeeded) != good || int(s.Failed) != bad || s.CompletionTime == nil {
			t.Fatalf("seed %d: %d succeeded and %d failed; status %+v", seed, good, bad, s)
		}
		for _, p := range w.d.r.pods {
			if len(p.Record.Object.Finalizers) > 0 || p.Record.State != state.PodFinished {
				t.Errorf("seed %d: %s in state %s with %v", seed, p.Name(), p.Record.State, p.Record.Object.Finalizers)
			}
		}
		// A reboot runs nothing again.
		w.reboot(t)
		if err := w.rest(); err != nil {
			t.Fatalf("seed %d: after a reboot: %v", seed, err)
		}
		if again := w.job(t).Status; again.Succeeded != s.Succeeded || again.Failed != s.Failed || len(w.processes) > 0 {
			t.Fatalf("seed %d: after a reboot %+v, %d processes", seed, again, len(w.processes))
		}
		w.die()
	}
}

// pass lets time go by, and everything happen meanwhile. It returns the names of all pods that were there.
func (w *world) pass(t *testing.T, d time.Duration) map[types.UID]string {
	t.Helper()
	seen := map[types.UID]string{}
	end := w.now.Mono.Add(d)
	for round := 0; ; round++ {
		if round == 100_000 {
			t.Fatal("the board does not come to rest")
		}
		if err := w.settle(); err != nil {
			t.Fatal(err)
		}
		for uid, p := range w.d.r.pods {
			seen[uid] = p.Record.Object.Name
		}
		switch {
		case len(w.d.pending) > 0:
			w.d.advance(0)
			continue
		case len(w.d.pulls) > 0:
			w.d.finishPull(0, 0)
			continue
		case w.endAsked():
			continue
		}
		next := end
		if at := w.d.r.controllers.WakeAt(w.now); at != 0 && at < next {
			next = at
		}
		for _, p := range w.d.r.pods {
			if !p.Busy && p.Wake != 0 && p.Wake < next {
				next = p.Wake
			}
		}
		if next >= end {
			w.now.Wall = w.now.Wall.Add(end.Sub(w.now.Mono))
			w.now.Mono = end
			return seen
		}
		// To the next second: creation times have no parts of one.
		next = max(next, w.now.Mono) + 1
		w.now.Wall, w.now.Mono = w.now.Wall.Add(next.Sub(w.now.Mono)), next
	}
}

const rejectedTemplate = `
  template:
    metadata: {labels: {app: web}}
    spec:
      restartPolicy: POLICY
      securityContext: {sysctls: [{name: net.core.somaxconn, value: "512"}]}
      containers: [{name: main, image: app}]
`

// Pods that the board rejects again and again are made at a rate that ends: about one in fifteen minutes at last, whatever
// makes them, however many replicas it has, and over a death of podd.
func TestRejectedPodsAreMadeSlowly(t *testing.T) {
	const selector = "selector: {matchLabels: {app: web}}"
	for kind, head := range map[string]string{
		"Deployment":            "apps/v1 Deployment {replicas: 3, " + selector,
		"ReplicaSet":            "apps/v1 ReplicaSet {replicas: 1, " + selector,
		"ReplicationController": "v1 ReplicationController {replicas: 1, selector: {app: web}",
		"StatefulSet":           "apps/v1 StatefulSet {serviceName: web, replicas: 2, " + selector,
		"DaemonSet":             "apps/v1 DaemonSet {" + selector,
		"Job":                   "batch/v1 Job {backoffLimit: 1000",
	} {
		t.Run(kind, func(t *testing.T) {
			w := workloadWorld(t)
			f := strings.SplitN(head, " ", 3)
			policy := "Always"
			if kind == "Job" {
				policy = "Never"
			}
			spec := "  " + strings.NewReplacer("{matchLabels", "{matchLabels", ", replicas", "\n  replicas", ", selector", "\n  selector").Replace(f[2][1:])
			w.workloads["web.yaml"] = fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: web}\nspec:\n%s%s", f[0], f[1], spec,
				strings.Replace(rejectedTemplate, "POLICY", policy, 1))
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			made := w.pass(t, time.Hour)
			if n := len(made); n < 5 || n > 50 {
				t.Fatalf("%d pods in the first hour: %v", n, made)
			}
			w.die()
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			again := w.pass(t, time.Hour)
			for uid := range made {
				delete(again, uid)
			}
			if n := len(again); n > 25 {
				t.Fatalf("%d more pods in the second hour: %v", n, again)
			}
			// Whoever edits the template does not wait.
			w.workloads["web.yaml"] = strings.Replace(w.workloads["web.yaml"], "net.core.somaxconn", "net.ipv4.ip_unprivileged_port_start", 1)
			if kind == "Job" {
				return
			}
			w.d.r.inbox.put(msgManifests{})
			w.pass(t, time.Minute)
			if len(w.running()) == 0 {
				t.Error("nothing runs")
			}
		})
	}
}

// Pods that have ended do not take places of others, and the oldest of too many go.
func TestFinishedPodsAreCollected(t *testing.T) {
	w := workloadWorld(t)
	w.workloads["sums.yaml"] = jobYAML(150, 10)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		w.pass(t, 2*time.Second)
		if w.job(t).Status.CompletionTime != nil {
			break
		}
		for _, id := range w.ids(func(p *fakeProcess) bool { return p.alive }) {
			w.exit(id, 0)
		}
	}
	if s := w.job(t).Status; s.Succeeded != 150 || s.CompletionTime == nil {
		t.Fatalf("%+v", s)
	}
	w.pass(t, time.Minute)
	if n := len(w.d.r.pods); n != 100 {
		t.Errorf("%d pods are left", n)
	}
}

// A DaemonSet runs where the board matches, rolls, and is undone by hand.
func TestDaemonSetOfTheFolder(t *testing.T) {
	w := workloadWorld(t)
	text := `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {site: SITE}, containers: [{name: main, image: app}]}
`
	status := func() appsv1.DaemonSetStatus {
		list, _ := w.d.r.store.Objects("DaemonSet")
		return list[0].(*appsv1.DaemonSet).Status
	}
	w.workloads["agent.yaml"] = text
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if s := status(); s.DesiredNumberScheduled != 0 || len(w.d.r.pods) != 0 {
		t.Errorf("on a board that does not match: %+v", s)
	}
	settings := w.d.r.Settings
	settings.Labels = map[string]string{"site": "SITE"}
	w.d.r.inbox.put(msgSettings{settings})
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if s := status(); s.NumberReady != 1 || w.running()["app"] != 1 {
		t.Fatalf("%+v, %v", s, w.running())
	}
	w.workloads["agent.yaml"] = strings.Replace(text, "image: app", "image: app2", 1)
	w.d.r.inbox.put(msgManifests{})
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if w.running()["app2"] != 1 || len(w.d.r.pods) != 1 {
		t.Fatalf("%v", w.running())
	}
	key := objects.Key{Kind: "DaemonSet", Namespace: "default", Name: "agent"}
	if said, err := w.d.r.controllers.Undo(key, controller.Revision{}, false); said != "rolled back" || err != nil {
		t.Fatal(said, err)
	}
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	for _, p := range w.d.r.pods {
		if o := p.Record.Object; o.Labels["pod-template-generation"] != "3" || o.Spec.Containers[0].Image != "app" || o.OwnerReferences[0].Kind != "DaemonSet" {
			t.Errorf("%+v", o)
		}
	}
	w.reboot(t)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.d.r.inbox.put(msgSettings{settings})
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if w.running()["app"] != 1 {
		t.Errorf("after a reboot: %v", w.running())
	}
	// The labels that let it run here are gone: so is the pod.
	settings.Labels = nil
	w.d.r.inbox.put(msgSettings{settings})
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	if len(w.d.r.pods) != 0 {
		t.Errorf("%v", w.running())
	}
}

// A board that starts in 1970 runs nothing by the clock before it knows the date, and then only what comes. What was missed
// while the board was off runs once.
func TestCronJobOfTheFolder(t *testing.T) {
	w := workloadWorld(t)
	w.workloads["sums.yaml"] = `apiVersion: batch/v1
kind: CronJob
metadata: {name: sums}
spec:
  schedule: "0 * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: app}]}}}}
`
	today := w.now.Wall
	unset := func() { w.now.Wall = time.Unix(0, 0).Add(time.Duration(w.now.Mono)) }
	set := func(at time.Time) {
		w.now.Wall = at
		w.d.r.inbox.put(msgClock{})
	}
	jobs := func() []string {
		t.Helper()
		for _, id := range w.ids(func(p *fakeProcess) bool { return p.alive }) {
			w.exit(id, 0)
		}
		w.pass(t, time.Second)
		list, _ := w.d.r.store.Objects("Job")
		var names []string
		for _, o := range list {
			j := o.(*batchv1.Job)
			if j.Status.Succeeded != 1 || j.Labels["job-name"] != j.Name && len(j.Spec.Selector.MatchLabels) == 0 {
				t.Errorf("%+v", j)
			}
			names = append(names, j.Annotations[batchv1.CronJobScheduledTimestampAnnotation][11:16])
		}
		sort.Strings(names)
		return names
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if got := jobs(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	unset()
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 3*time.Hour)
	expect("in 1970")
	set(today.Add(30 * time.Minute))
	w.pass(t, 29*time.Minute)
	expect("the date is known")
	w.pass(t, time.Minute)
	expect("on the hour", "01:00")
	// Off for some hours; the clock is known only some time after the start.
	w.reboot(t)
	unset()
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.pass(t, time.Minute)
	expect("after a reboot", "01:00")
	set(today.Add(5*time.Hour + 20*time.Minute))
	w.pass(t, time.Minute)
	expect("what was missed", "01:00", "05:00")
	w.die()
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 40*time.Minute)
	expect("goes on", "01:00", "05:00", "06:00")
}

// A version of a workload that does not come to serve is put back to the last good one, by the images of that time. That
// outlives deaths and reboots, until the file has another version.
func TestWorkloadIsPutBack(t *testing.T) {
	for kind, more := range map[string]string{"Deployment": "replicas: 2, strategy: {rollingUpdate: {maxUnavailable: 0}}, ", "StatefulSet": "serviceName: web, replicas: 2, ", "DaemonSet": ""} {
		t.Run(kind, func(t *testing.T) {
			w := workloadWorld(t)
			text := func(image, value string) string {
				return fmt.Sprintf(`apiVersion: apps/v1
kind: %s
metadata: {name: web, annotations: {podd.dev/rollback: "true", podd.dev/progress-deadline: "120"}}
spec:
  %sselector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 3, containers: [{name: main, image: %s, env: [{name: V, value: "%s"}]}]}
`, kind, strings.ReplaceAll(more, ", ", "\n  "), image, value)
			}
			// All containers of the image app2 end at once.
			play := func(d time.Duration) {
				for range int(d / (5 * time.Second)) {
					w.pass(t, 5*time.Second)
					for _, id := range w.ids(func(p *fakeProcess) bool { return p.alive }) {
						if w.made[id] == "app2" {
							w.exit(id, 1)
						}
					}
				}
			}
			problems := func() (list []string) {
				for _, p := range w.d.r.problems {
					list = append(list, p.Reason)
				}
				return list
			}
			change := func(s string) {
				w.workloads["web.yaml"] = s
				w.d.r.inbox.put(msgManifests{})
			}
			want := 2
			if kind == "DaemonSet" {
				want = 1
			}
			w.workloads["web.yaml"] = text("app", "1")
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			play(time.Minute)
			if w.running()["app"] != want {
				t.Fatal(w.running())
			}
			// Its pods never serve: a StatefulSet waits for such a pod, whatever its template says by then.
			change(strings.Replace(text("app2", "2"), "{terminationGrace", "{initContainers: [{name: init, image: app2}], terminationGrace", 1))
			play(90 * time.Second)
			if len(problems()) > 0 {
				t.Fatal("put back before its time", problems())
			}
			play(4 * time.Minute)
			back := func(when string) {
				t.Helper()
				if got := w.running(); got["app"] != want || got["app2"] > 0 || fmt.Sprint(problems()) != "[RolledBack]" {
					t.Fatalf("%s: %v, %v", when, got, problems())
				}
			}
			back("after the deadline")
			w.die()
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			play(time.Minute)
			back("after a death")
			w.reboot(t)
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			play(time.Minute)
			back("after a reboot")
			for _, p := range w.d.r.pods {
				if p.Record.Pins["main"] != "sha256:app" {
					t.Errorf("%s runs %v", p.Name(), p.Record.Pins)
				}
			}
			change(text("app", "3"))
			play(time.Minute)
			if got := w.running(); got["app"] != want || len(problems()) > 0 {
				t.Errorf("corrected: %v, %v", got, problems())
			}
		})
	}
}

// Ten thousand replicas are as many pods as the board takes, the scheduler's sentence, and no work at rest.
func TestTenThousandReplicas(t *testing.T) {
	w := workloadWorld(t)
	w.workloads["web.yaml"] = deploymentYAML(10000, "app")
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.pass(t, time.Minute)
	if n := w.running()["app"]; n != 110 {
		t.Errorf("%d pods run", n)
	}
	if n := len(w.d.r.pods); n > 110 {
		t.Errorf("%d pods are known", n)
	}
	d := w.deployment(t)
	said := ""
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure {
			said = c.Message
		}
	}
	if !strings.Contains(said, "Too many pods") {
		t.Errorf("%+v", d.Status.Conditions)
	}
	w.pass(t, time.Hour)
	if w.d.r.controllers.Due(w.now) {
		t.Error("it looks again and again")
	}
}

// Of two workloads that select one pod the first takes it, and the other makes its own.
func TestTwoClaimants(t *testing.T) {
	w := workloadWorld(t)
	one := func(name string) string {
		return fmt.Sprintf(`apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: %s}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: app}]}
`, name)
	}
	pod := modelPod("orphan", 1, 0)
	pod.Labels = map[string]string{"app": "web"}
	w.desired["orphan"] = pod
	w.workloads["a.yaml"], w.workloads["b.yaml"] = one("a"), one("b")
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	w.pass(t, time.Minute)
	owners := map[string]int{}
	for _, p := range w.d.r.pods {
		for _, ref := range p.Record.Object.OwnerReferences {
			owners[ref.Name]++
		}
	}
	if owners["a"] != 1 || owners["b"] != 1 || len(w.d.r.pods) != 2 {
		t.Errorf("%v of %d pods", owners, len(w.d.r.pods))
	}
	// The owner goes, the pod of the folder stays, and is the other's: which then has one too many.
	delete(w.workloads, "a.yaml")
	w.d.r.inbox.put(msgManifests{})
	w.pass(t, time.Minute)
	left := 0
	for _, p := range w.d.r.pods {
		if p.Record.Stop == nil {
			left++
		}
		if refs := p.Record.Object.OwnerReferences; len(refs) != 1 || refs[0].Name != "b" {
			t.Errorf("%s of %v", p.Name(), refs)
		}
	}
	if left != 1 {
		t.Errorf("%d pods are left", left)
	}
}

// The claims of a StatefulSet go with it, or with its number, if its policy says so.
func TestClaimsGo(t *testing.T) {
	w := workloadWorld(t)
	text := func(replicas int) string {
		return fmt.Sprintf(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: %d
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: app}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`, replicas)
	}
	claims := func() string {
		var names []string
		for _, o := range w.d.r.objects.List("PersistentVolumeClaim") {
			names = append(names, o.Name)
		}
		sort.Strings(names)
		return strings.Join(names, " ")
	}
	expect := func(what, want string) {
		t.Helper()
		w.pass(t, time.Minute)
		if got := claims(); got != want {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
	w.workloads["db.yaml"] = text(2)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	expect("new", "data-db-0 data-db-1")
	w.workloads["db.yaml"] = text(1)
	w.d.r.inbox.put(msgManifests{})
	expect("scaled", "data-db-0")
	w.reboot(t)
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	expect("after a reboot", "data-db-0")
	delete(w.workloads, "db.yaml")
	w.d.r.inbox.put(msgManifests{})
	expect("gone", "")
}
