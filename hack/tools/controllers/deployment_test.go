package controllers

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/controller"

	"podd/runtime/workload/workloadtest"
)

var scenarios []scenario

func init() {
	scenarios = slices.Concat(deployments, statefulSets, jobs, daemonSets, cronJobs, budgets, replicaSets)
}

// web is a Deployment; more are further lines of its spec.
func web(replicas int, more string) string {
	return fmt.Sprintf(`
metadata:
  name: web
  annotations: {kubernetes.io/change-cause: first}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1", ports: [{containerPort: 80}]}
%s
`, replicas, more)
}

func (w *world) image(version string) {
	edit(w, "image "+version, "Deployment", "web", func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Image = "registry.example/web:" + version
		d.Annotations["kubernetes.io/change-cause"] = version
	})
}

func (w *world) scale(n int32) {
	edit(w, fmt.Sprintf("replicas %d", n), "Deployment", "web", func(d *appsv1.Deployment) { d.Spec.Replicas = &n })
}

var deployments = []scenario{
	{"deployment-new", func(w *world) {
		w.manifest("apply", "Deployment", web(3, ""))
		w.goOn("web")
	}},
	{"deployment-rolling-default", func(w *world) {
		w.manifest("apply", "Deployment", web(4, ""))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
	}},
	{"deployment-rolling-surge", func(w *world) {
		w.manifest("apply", "Deployment", web(3, "  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}"))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
	}},
	{"deployment-rolling-unavailable", func(w *world) {
		w.manifest("apply", "Deployment", web(3, "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 2}}"))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
	}},
	{"deployment-rolling-one-percent", func(w *world) {
		w.manifest("apply", "Deployment", web(2, "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1%}}"))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
	}},
	{"deployment-recreate", func(w *world) {
		w.manifest("apply", "Deployment", web(2, "  strategy: {type: Recreate}"))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
	}},
	{"deployment-back", func(w *world) {
		w.manifest("apply", "Deployment", web(1, ""))
		w.goOn("web")
		for _, v := range []string{"v2", "v1", "v2"} {
			w.image(v)
			w.goOn("web")
		}
	}},
	{"deployment-history", func(w *world) {
		w.manifest("apply", "Deployment", web(1, "  revisionHistoryLimit: 1"))
		w.goOn("web")
		for _, v := range []string{"v2", "v3", "v4"} {
			w.image(v)
			w.goOn("web")
		}
	}},
	{"deployment-scale", func(w *world) {
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		w.scale(4)
		w.goOn("web")
		w.scale(0)
		w.goOn("web")
		w.scale(1)
		w.goOn("web")
	}},
	{"deployment-proportional", func(w *world) {
		w.manifest("apply", "Deployment", web(10, "  strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}"))
		w.change("all serve", ready("web", 0))
		w.image("v2")
		w.change("some end", collect("web"))
		w.scale(15)
		w.scale(5)
		w.goOn("web")
	}},
	{"deployment-paused", func(w *world) {
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		pause := func(paused bool) {
			edit(w, fmt.Sprint("paused ", paused), "Deployment", "web", func(d *appsv1.Deployment) { d.Spec.Paused = paused })
		}
		pause(true)
		w.image("v2")
		w.scale(3)
		w.goOn("web")
		pause(false)
		w.goOn("web")
	}},
	{"deployment-deadline", func(w *world) {
		w.manifest("apply", "Deployment", web(2, "  progressDeadlineSeconds: 60\n  minReadySeconds: 5"))
		w.change("all serve", ready("web", 0))
		w.later(5 * time.Second)
		w.image("v2")
		w.later(62 * time.Second)
		w.change("one serves after all", ready("web", 1))
		w.later(6 * time.Second)
		w.goOn("web")
		w.later(6 * time.Second)
		w.goOn("web")
		w.later(6 * time.Second)
	}},
	{"deployment-stuck-and-back", func(w *world) {
		w.manifest("apply", "Deployment", web(4, ""))
		w.goOn("web")
		w.image("broken")
		w.change("old ones end", collect("web"))
		w.image("v1")
		w.goOn("web")
	}},
	{"deployment-roll-over", func(w *world) {
		w.manifest("apply", "Deployment", web(4, ""))
		w.goOn("web")
		w.image("v2")
		w.image("v3")
		w.goOn("web")
	}},
	{"deployment-pod-dies", func(w *world) {
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		w.change("one fails", finish("web", 1, 1))
		w.goOn("web")
		w.change("one is not ready", workloadtest.Change{Prefix: "web", Only: "ready", Count: 1, Do: "unready"})
		w.change("one is removed by hand", workloadtest.Change{Prefix: "web", Count: 1, Do: "end"})
		w.goOn("web")
	}},
	{"deployment-rollback-annotation", func(w *world) {
		w.manifest("apply", "Deployment", web(1, ""))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
		for _, to := range []string{"1", "0", "77"} {
			edit(w, "roll back to "+to, "Deployment", "web", func(d *appsv1.Deployment) { d.Annotations[appsv1.DeprecatedRollbackTo] = to })
			w.goOn("web")
		}
	}},
	{"deployment-strategy-changes", func(w *world) {
		w.manifest("apply", "Deployment", web(3, ""))
		w.goOn("web")
		edit(w, "more surge and another image", "Deployment", "web", func(d *appsv1.Deployment) {
			all := intstr.FromString("100%")
			d.Spec.Strategy.RollingUpdate.MaxSurge = &all
			d.Spec.MinReadySeconds = 2
			d.Spec.Template.Spec.Containers[0].Image = "registry.example/web:v2"
		})
		w.goOn("web")
		w.later(3 * time.Second)
		w.goOn("web")
	}},
	{"deployment-hash-taken", func(w *world) {
		d := w.parse("Deployment", web(2, "")).(*appsv1.Deployment)
		legacyscheme.Scheme.Default(d)
		w.manifest("a ReplicaSet of that name", "ReplicaSet", rs(0, ", tier: other", "ReplicaSet", "web-"+controller.ComputeHash(&d.Spec.Template, nil)))
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
		w.image("v1")
		w.goOn("web")
	}},
	{"deployment-min-ready", func(w *world) {
		w.manifest("apply", "Deployment", web(3, "  minReadySeconds: 10\n  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}"))
		w.goOn("web")
		w.later(11 * time.Second)
		w.image("v2")
		w.goOn("web")
		w.later(6 * time.Second)
		w.change("one is not ready", workloadtest.Change{Prefix: "web", Only: "ready", Count: 1, Do: "unready"})
		w.later(6 * time.Second)
		for range 3 {
			w.goOn("web")
			w.later(11 * time.Second)
		}
	}},
	{"deployment-proportional-two", func(w *world) {
		w.manifest("apply", "Deployment", web(7, "  strategy: {rollingUpdate: {maxSurge: 50%, maxUnavailable: 40%}}"))
		w.change("all serve", ready("web", 0))
		w.image("v2")
		w.image("v3")
		w.change("two of the new serve", ready("web", 2))
		w.scale(20)
		w.scale(3)
		w.change("some end", collect("web"))
		w.goOn("web")
	}},
	{"deployment-paused-proportional", func(w *world) {
		w.manifest("apply", "Deployment", web(6, ""))
		w.change("all serve", ready("web", 0))
		w.image("v2")
		edit(w, "pause", "Deployment", "web", func(d *appsv1.Deployment) { d.Spec.Paused = true })
		w.change("goes on", collect("web"), ready("web", 0))
		w.scale(12)
		w.change("goes on", collect("web"), ready("web", 0))
		edit(w, "resume, and back", "Deployment", "web", func(d *appsv1.Deployment) {
			d.Spec.Paused = false
			d.Spec.Template.Spec.Containers[0].Image = "registry.example/web:v1"
		})
		w.goOn("web")
	}},
	{"deployment-deadline-and-back", func(w *world) {
		w.manifest("apply", "Deployment", web(2, "  progressDeadlineSeconds: 20\n  revisionHistoryLimit: 0"))
		w.goOn("web")
		w.image("broken")
		w.later(21 * time.Second)
		w.later(21 * time.Second)
		w.image("v3")
		w.goOn("web")
	}},
	{"deployment-recreate-slow", func(w *world) {
		w.manifest("apply", "Deployment", web(3, "  strategy: {type: Recreate}"))
		w.goOn("web")
		w.image("v2")
		w.image("v3") // while those of v1 end
		w.scale(2)
		w.goOn("web")
		w.takeAway("Deployment", "web")
		w.change("they end", collect("web"))
	}},
	{"deployment-replicaset-goes", func(w *world) {
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		w.takeAway("ReplicaSet", w.list("ReplicaSet")[0].GetName())
		w.goOn("web")
	}},
	{"deployment-metadata-only", func(w *world) {
		w.manifest("apply", "Deployment", web(2, ""))
		w.goOn("web")
		edit(w, "annotation", "Deployment", "web", func(d *appsv1.Deployment) { d.Annotations["team"] = "roof" })
		edit(w, "min ready", "Deployment", "web", func(d *appsv1.Deployment) { d.Spec.MinReadySeconds = 3 })
		w.later(4 * time.Second)
		edit(w, "restart", "Deployment", "web", func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "2000-01-01T00:00:00Z"}
		})
		w.goOn("web")
		w.later(4 * time.Second)
		w.goOn("web")
		w.later(4 * time.Second)
	}},
}
