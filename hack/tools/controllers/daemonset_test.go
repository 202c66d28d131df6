package controllers

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload/workloadtest"
)

const board = `
metadata: {name: board, labels: {kubernetes.io/hostname: board, site: roof}}
`

// agent is a DaemonSet; more are further lines of its spec, and pod of that of its pods.
func agent(more, pod string) string {
	return `
metadata: {name: agent, annotations: {deprecated.daemonset.template.generation: "1"}}
spec:
  selector: {matchLabels: {app: agent}}
` + more + `
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - {name: agent, image: "registry.example/agent:v1"}
` + pod
}

func (w *world) daemon(do string, change func(*appsv1.DaemonSetSpec)) {
	edit(w, do, "DaemonSet", "agent", func(d *appsv1.DaemonSet) {
		change(&d.Spec)
		d.Annotations = nil
	})
}

func (w *world) agentImage(version string) {
	w.daemon("image "+version, func(s *appsv1.DaemonSetSpec) {
		s.Template.Spec.Containers[0].Image = "registry.example/agent:" + version
	})
}

const surge = "  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n"

var daemonSets = []scenario{
	{"daemonset-new", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("  minReadySeconds: 5", "      hostNetwork: true\n      tolerations: [{key: site, operator: Exists}]"))
		w.goOn("agent")
		w.later(5 * time.Second)
		w.change("ends", finish("agent", 0, 1))
		w.goOn("agent")
	}},
	{"daemonset-update", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("", ""))
		w.goOn("agent")
		for _, v := range []string{"v2", "v1", "v3"} {
			w.agentImage(v)
			w.goOn("agent")
		}
		w.agentImage("v4") // before the one before is ready
		w.agentImage("v5")
		w.goOn("agent")
		w.daemon("one revision", func(s *appsv1.DaemonSetSpec) { s.RevisionHistoryLimit = new(int32(1)) })
		w.goOn("agent")
	}},
	{"daemonset-surge", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent(surge+"  minReadySeconds: 3", ""))
		w.goOn("agent")
		w.later(3 * time.Second)
		w.agentImage("v2")
		w.goOn("agent")
		w.later(3 * time.Second)
		w.goOn("agent")
	}},
	{"daemonset-on-delete", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("  updateStrategy: {type: OnDelete}", ""))
		w.goOn("agent")
		w.agentImage("v2")
		w.goOn("agent")
		end := ready("agent", 0)
		end.Only, end.Do = "ready", "end"
		w.change("delete", end)
		w.goOn("agent")
		w.daemon("rolling", func(s *appsv1.DaemonSetSpec) {
			one := intstr.FromString("50%")
			s.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{
				Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &one},
			}
			s.Template.Spec.Containers[0].Image = "registry.example/agent:v3"
		})
		w.goOn("agent")
	}},
	{"daemonset-board-changes", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("", "      nodeSelector: {site: cellar}"))
		w.goOn("agent")
		node := func(do string, change func(*corev1.Node)) {
			step := w.step(do)
			o := w.list("Node")[0].DeepCopyObject().(*corev1.Node)
			change(o)
			w.put(step, "Node", o)
			w.rest(step)
			w.goOn("agent")
		}
		node("matches", func(n *corev1.Node) { n.Labels["site"] = "cellar" })
		node("is cordoned", func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
		})
		w.agentImage("v2")
		w.goOn("agent")
		node("takes no more", func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "a", Value: "b", Effect: corev1.TaintEffectNoSchedule}}
		})
		w.agentImage("v3")
		w.goOn("agent")
		w.daemon("tolerates", func(s *appsv1.DaemonSetSpec) {
			s.Template.Spec.Tolerations = []corev1.Toleration{{Key: "a", Value: "b"}}
		})
		w.goOn("agent")
		node("takes nothing", func(n *corev1.Node) {
			n.Spec.Taints[0].Effect, n.Spec.Taints[0].Value = corev1.TaintEffectNoExecute, "c"
		})
		node("matches no more", func(n *corev1.Node) { n.Labels["site"], n.Spec.Taints = "roof", nil })
	}},
	{"daemonset-surge-not-ready", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent(surge, ""))
		w.goOn("agent")
		w.agentImage("broken")
		w.later(10 * time.Second)
		w.agentImage("v3")
		w.change("the broken one ends", collect("agent"))
		w.change("the old one is not ready", unready("agent", 1))
		w.goOn("agent")
	}},
	{"daemonset-release-adopt", func(w *world) {
		w.manifest("a board", "Node", board)
		w.manifest("apply", "DaemonSet", agent("", ""))
		w.goOn("agent")
		w.change("it leaves", workloadtest.Change{Prefix: "agent", Do: "label", Labels: map[string]string{"app": "none"}})
		w.goOn("agent")
		w.change("it comes back", workloadtest.Change{Prefix: "agent", Count: 1, Do: "label", Labels: map[string]string{"app": "agent"}})
		w.goOn("agent")
		w.takeAway("DaemonSet", "agent")
		w.change("they end", collect("agent"))
	}},
}
