package controllers

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload/workloadtest"
)

// budget is a PodDisruptionBudget of the pods of an app.
func budget(app, spec string) string {
	return fmt.Sprintf("{metadata: {name: budget}, spec: {selector: {matchLabels: {app: %s}}, %s}}", app, spec)
}

func unready(prefix string, count int) workloadtest.Change {
	return workloadtest.Change{Prefix: prefix, Only: "ready", Count: count, Do: "unready"}
}

func end(prefix string, count int) workloadtest.Change {
	return workloadtest.Change{Prefix: prefix, Only: "ready", Count: count, Do: "end"}
}

var budgets = []scenario{
	{"disruption-min-available", func(w *world) {
		w.manifest("a budget", "PodDisruptionBudget", budget("web", "minAvailable: 2"))
		w.manifest("apply", "Deployment", web(3, ""))
		w.goOn("web")
		w.change("one is not ready", unready("web", 1))
		w.change("another ends", end("web", 1))
		w.goOn("web")
		w.scale(1)
		w.goOn("web")
	}},
	{"disruption-min-percent", func(w *world) {
		w.manifest("apply", "StatefulSet", db(5, "  podManagementPolicy: Parallel"))
		w.goOn("db")
		w.manifest("a budget", "PodDisruptionBudget", budget("db", "minAvailable: 50%"))
		w.change("two are not ready", unready("db", 2))
		w.dbScale(2)
		w.goOn("db")
	}},
	{"disruption-max-unavailable", func(w *world) {
		w.manifest("a budget", "PodDisruptionBudget", budget("web", "maxUnavailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow"))
		w.manifest("apply", "Deployment", web(3, ""))
		w.goOn("web")
		w.image("v2")
		w.goOn("web")
		w.scale(0)
		w.goOn("web")
	}},
	{"disruption-max-percent", func(w *world) {
		w.manifest("apply", "Deployment", web(4, ""))
		w.manifest("a budget", "PodDisruptionBudget", budget("web", "maxUnavailable: 30%"))
		w.goOn("web")
		edit(w, "all may go", "PodDisruptionBudget", "budget", func(b *policyv1.PodDisruptionBudget) {
			all := intstr.FromString("100%")
			b.Spec.MaxUnavailable = &all
		})
		edit(w, "none may go", "PodDisruptionBudget", "budget", func(b *policyv1.PodDisruptionBudget) {
			none := intstr.FromInt32(0)
			b.Spec.MaxUnavailable = &none
		})
	}},
	{"disruption-two-controllers", func(w *world) {
		w.manifest("apply", "ReplicaSet", rs(2, "", "ReplicaSet", "web"))
		w.manifest("apply", "ReplicationController", rc(3))
		w.change("all serve", ready("", 0))
		w.manifest("a budget", "PodDisruptionBudget", budget("web", "minAvailable: 60%"))
		w.change("one ends", end("", 1))
		w.change("it is gone", collect(""))
	}},
	{"disruption-unmanaged", func(w *world) {
		w.manifest("a budget", "PodDisruptionBudget", budget("web", "maxUnavailable: 1"))
		w.manifest("apply", "ReplicaSet", rs(2, ", tier: front", "ReplicaSet", "web"))
		w.change("all serve", ready("web", 0))
		w.change("one leaves its ReplicaSet", workloadtest.Change{
			Prefix: "web", Only: "ready", Count: 1, Do: "label", Labels: map[string]string{"app": "web"},
		})
		edit(w, "by number", "PodDisruptionBudget", "budget", func(b *policyv1.PodDisruptionBudget) {
			one := intstr.FromInt32(1)
			b.Spec.MaxUnavailable, b.Spec.MinAvailable = nil, &one
		})
	}},
	{"disruption-of-a-job", func(w *world) {
		w.manifest("a budget", "PodDisruptionBudget", budget("pi", "maxUnavailable: 1"))
		w.manifest("apply", "Job", `
metadata: {name: pi}
spec:
  template:
    metadata: {labels: {app: pi}}
    spec:
      restartPolicy: Never
      containers:
      - {name: pi, image: "registry.example/pi:v1"}
`)
		w.change("it runs", ready("pi", 0))
		edit(w, "by number", "PodDisruptionBudget", "budget", func(b *policyv1.PodDisruptionBudget) {
			one := intstr.FromInt32(1)
			b.Spec.MaxUnavailable, b.Spec.MinAvailable = nil, &one
		})
		w.until("pi", 0)
	}},
	{"disruption-of-an-agent", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("", ""))
		w.goOn("agent")
		w.manifest("a budget", "PodDisruptionBudget", budget("agent", "minAvailable: 1"))
		edit(w, "by share", "PodDisruptionBudget", "budget", func(b *policyv1.PodDisruptionBudget) {
			half := intstr.FromString("50%")
			b.Spec.MinAvailable = &half
		})
		edit(w, "image v2", "DaemonSet", "agent", func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.Containers[0].Image = "registry.example/agent:v2"
		})
		w.goOn("agent")
	}},
}
