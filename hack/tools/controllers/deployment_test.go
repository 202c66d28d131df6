package controllers

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

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
}
