package controllers

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/workload/workloadtest"
)

// rs is a ReplicaSet of the label app: web and others; kind is the owner's. name is that of the set.
func rs(replicas int, labels, kind, name string) string {
	text := fmt.Sprintf(`
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: web%s}}
  template:
    metadata: {labels: {app: web%s}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1"}
`, name, replicas, labels, labels)
	if kind == "ReplicationController" {
		text = strings.Replace(text, "{matchLabels: {app: web}}", "{app: web}", 1)
	}
	return text
}

func rc(replicas int) string {
	return fmt.Sprintf(`
metadata: {name: old}
spec:
  replicas: %d
  selector: {app: web, from: old}
  template:
    metadata: {labels: {app: web, from: old}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1"}
`, replicas)
}

func (w *world) setScale(n int32) {
	edit(w, fmt.Sprintf("replicas %d", n), "ReplicaSet", "web", func(s *appsv1.ReplicaSet) { s.Spec.Replicas = &n })
}

func cost(n int32) workloadtest.Change {
	return workloadtest.Change{Prefix: "web", Only: "ready", Count: 1, Do: "cost", Code: n}
}

func label(what string, labels map[string]string) workloadtest.Change {
	return workloadtest.Change{Prefix: "web", Only: what, Count: 1, Do: "label", Labels: labels}
}

var replicaSets = []scenario{
	{"replicaset-scale", func(w *world) {
		w.manifest("apply", "ReplicaSet", rs(3, "", "ReplicaSet", "web"))
		w.change("two serve", ready("web", 2))
		w.setScale(2) // the one that does not serve goes
		w.change("it is gone", collect("web"))
		w.setScale(4)
		w.change("all serve", ready("web", 0))
		w.change("one is cheap", cost(-10))
		w.setScale(3)
		w.change("it is gone", collect("web"))
		w.change("one is dear", cost(100))
		w.change("one is not ready", unready("web", 1))
		w.setScale(2)
		w.setScale(0)
		w.change("they are gone", collect("web"))
	}},
	{"replicaset-release-adopt", func(w *world) {
		w.manifest("apply", "ReplicaSet", rs(2, "", "ReplicaSet", "web"))
		w.change("all serve", ready("web", 0))
		w.change("one leaves", label("ready", map[string]string{"app": "none"}))
		w.change("all serve", ready("web", 0))
		w.change("it comes back, and is one too many", label("ready", map[string]string{"app": "web"}))
		w.change("it is gone", collect("web"))
	}},
	{"replicaset-orphan-fails", func(w *world) {
		w.manifest("apply", "ReplicaSet", rs(2, "", "ReplicaSet", "web"))
		w.change("all serve", ready("web", 0))
		w.change("one leaves", label("ready", nil))
		w.setScale(1)
		w.change("what left fails", finish("web", 1, 1))
		w.change("the other fails", finish("web", 0, 3))
	}},
	{"replicaset-pods-fail", func(w *world) {
		w.manifest("apply", "ReplicaSet", rs(3, "", "ReplicaSet", "web"))
		w.change("all serve", ready("web", 0))
		w.change("one fails", finish("web", 1, 1))
		w.change("one succeeds", finish("web", 1, 0))
		w.change("one is removed by hand", end("web", 1))
		w.change("it is gone", collect("web"))
		w.takeAway("ReplicaSet", "web")
		w.change("all are gone", collect("web"))
	}},
	{"replicaset-min-ready", func(w *world) {
		w.manifest("apply", "ReplicaSet", strings.Replace(rs(2, "", "ReplicaSet", "web"), "spec:\n", "spec:\n  minReadySeconds: 10\n", 1))
		w.change("one serves", ready("web", 1))
		w.later(6 * time.Second)
		w.change("the other, too", ready("web", 0))
		w.later(4 * time.Second)
		w.later(6 * time.Second)
		w.change("one is not ready", unready("web", 1))
	}},
	{"replicationcontroller-scale", func(w *world) {
		w.manifest("apply", "ReplicationController", rc(2))
		w.change("all serve", ready("old", 0))
		set := func(n int32) {
			edit(w, fmt.Sprintf("replicas %d", n), "ReplicationController", "old", func(c *corev1.ReplicationController) { c.Spec.Replicas = &n })
		}
		set(3)
		set(2)
		w.change("it is gone", collect("old"))
		w.change("one fails", finish("old", 1, 1))
		set(0)
		w.change("all are gone", collect("old"))
	}},
}
