package runtime

import (
	"runtime"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest/annotation"
)

// Ten thousand replicas are the board's most, with the scheduler's sentence; the rest costs the loop next to nothing, neither at
// first nor whenever a pod changes.
func TestManyReplicasCostLittle(t *testing.T) {
	for name, text := range map[string]string{
		"deployment":  deploymentYAML(10000, "app"),
		"statefulset": strings.NewReplacer("Deployment", "StatefulSet", "replicas: 10000", "replicas: 10000\n  podManagementPolicy: Parallel").Replace(deploymentYAML(10000, "app")),
		"job":         jobYAML(10000, 10000),
	} {
		t.Run(name, func(t *testing.T) {
			w := workloadWorld(t)
			w.workloads["web.yaml"] = text
			if err := w.rest(); err != nil {
				t.Fatal(err)
			}
			if len(w.d.r.pods) != mostPods {
				t.Errorf("%d pods", len(w.d.r.pods))
			}
			if name == "deployment" {
				says := ""
				for _, c := range w.deployment(t).Status.Conditions {
					if c.Type == appsv1.DeploymentReplicaFailure {
						says = c.Message
					}
				}
				if !strings.Contains(says, "0/1 nodes are available: 1 Too many pods") {
					t.Errorf("it says %q", says)
				}
			}
			// All controllers look again, as they do when a pod changes.
			var before, after runtime.MemStats
			const times = 10
			runtime.ReadMemStats(&before)
			for range times {
				w.d.r.controllers.RetryCreate()
				w.d.r.controllers.ClockSet()
				if err := w.settle(); err != nil {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			each := (after.TotalAlloc - before.TotalAlloc) / times
			t.Logf("%d kB and %d allocations each time", each/1024, (after.Mallocs-before.Mallocs)/times)
			if each > 16<<20 {
				t.Errorf("%d kB are allocated each time", each/1024)
			}
			if len(w.d.r.pods) != mostPods {
				t.Errorf("%d pods after that", len(w.d.r.pods))
			}
		})
	}
}

// What an edit must not change is refused as well if it was made while podd did not run: the last version goes on and says so.
func TestImmutableEditWhileDead(t *testing.T) {
	set := strings.NewReplacer("Deployment", "StatefulSet").Replace(deploymentYAML(1, "app"))
	for _, c := range []struct{ kind, before, after, says string }{
		{"Deployment", deploymentYAML(1, "app"), strings.ReplaceAll(deploymentYAML(1, "app"), "app: web", "app: other"), "spec.selector: Invalid value"},
		{"StatefulSet", set, strings.Replace(set, "spec:\n", "spec:\n  serviceName: other\n", 1), "spec.serviceName: Invalid value"},
		{"Job", jobYAML(2, 1), strings.Replace(jobYAML(2, 1), "image: app", "image: app2", 1), "spec.template: Invalid value"},
	} {
		for _, how := range []string{"death", "reboot"} {
			w := workloadWorld(t)
			w.workloads["web.yaml"] = c.before
			expect := func(what, says string, image string) {
				t.Helper()
				if err := w.rest(); err != nil {
					t.Fatal(err)
				}
				list, _ := w.d.r.store.Objects(c.kind)
				if len(list) != 1 {
					t.Fatalf("%s, %s: %d objects", c.kind, what, len(list))
				}
				reason, message := annotation.ProblemOf(list[0])
				if (reason == "") != (says == "") || !strings.Contains(message, says) {
					t.Errorf("%s, %s after a %s: %q %q, want %q", c.kind, what, how, reason, message, says)
				}
				if got := w.running(); got[image] != 1 || len(got) != 1 {
					t.Errorf("%s, %s after a %s: %v run", c.kind, what, how, got)
				}
			}
			expect("new", "", "app")
			uid := func() types.UID { list, _ := w.d.r.store.Objects(c.kind); return list[0].GetUID() }
			was := uid()
			if how == "death" {
				w.die()
			} else {
				w.reboot(t)
			}
			w.workloads["web.yaml"] = c.after
			expect("edited", c.says, "app")
			if uid() != was {
				t.Errorf("%s: it is another object after a %s", c.kind, how)
			}
			w.workloads["web.yaml"] = c.before
			w.d.r.inbox.put(msgManifests{})
			expect("mended", "", "app")
			w.die()
		}
	}
}
