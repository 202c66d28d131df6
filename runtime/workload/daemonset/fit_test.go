package daemonset

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// theBoard is a board with these taints.
func theBoard(taints ...corev1.Taint) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "board", Labels: map[string]string{"kubernetes.io/hostname": "board", "disk": "fast"}},
		Spec:       corev1.NodeSpec{Taints: taints},
	}
}

// A toleration without a key is about every taint, one without an effect about every effect; the operator is Equal if
// nobody says, and Exists asks for no value.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#concepts
func TestTolerates(t *testing.T) {
	taint := corev1.Taint{Key: "role", Value: "gateway", Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct {
		name string
		o    corev1.Toleration
		want bool
	}{
		{"the same", corev1.Toleration{Key: "role", Operator: corev1.TolerationOpEqual, Value: "gateway", Effect: corev1.TaintEffectNoSchedule}, true},
		{"Equal is meant", corev1.Toleration{Key: "role", Value: "gateway"}, true},
		{"another value", corev1.Toleration{Key: "role", Value: "sensor"}, false},
		{"whatever value", corev1.Toleration{Key: "role", Operator: corev1.TolerationOpExists}, true},
		{"another effect", corev1.Toleration{Key: "role", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, false},
		{"another key", corev1.Toleration{Key: "zone", Operator: corev1.TolerationOpExists}, false},
		{"whatever", corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{"every key of a value", corev1.Toleration{Value: "gateway"}, true},
		{"an operator that there is not", corev1.Toleration{Key: "role", Operator: "Like", Value: "gateway"}, false},
	} {
		if got := tolerates(&c.o, &taint); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// On which boards a pod is made, and on which one that is there stays: a taint NoSchedule keeps new ones away, NoExecute
// ends those that are there, PreferNoSchedule means nothing where there is one board.
func TestFits(t *testing.T) {
	taint := func(e corev1.TaintEffect) corev1.Taint { return corev1.Taint{Key: "role", Value: "gateway", Effect: e} }
	affinity := func(key string, values ...string) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}}},
			}}}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*corev1.PodSpec)
		taints []corev1.Taint
		want   fitness
	}{
		{"nothing is asked", nil, nil, fitness{true, true}},
		{"this board by name", func(s *corev1.PodSpec) { s.NodeName = "board" }, nil, fitness{true, true}},
		{"another board by name", func(s *corev1.PodSpec) { s.NodeName = "other" }, nil, fitness{}},
		{"a label that it has", func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": "fast"} }, nil, fitness{true, true}},
		{"a label that it has not", func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": "slow"} }, nil, fitness{}},
		{"an affinity to it", affinity("disk", "slow", "fast"), nil, fitness{true, true}},
		{"an affinity to others", affinity("disk", "slow"), nil, fitness{}},
		{"NoSchedule", nil, []corev1.Taint{taint(corev1.TaintEffectNoSchedule)}, fitness{false, true}},
		{"NoExecute", nil, []corev1.Taint{taint(corev1.TaintEffectNoExecute)}, fitness{}},
		{"both", nil, []corev1.Taint{taint(corev1.TaintEffectNoSchedule), taint(corev1.TaintEffectNoExecute)}, fitness{}},
		{"PreferNoSchedule", nil, []corev1.Taint{taint(corev1.TaintEffectPreferNoSchedule)}, fitness{true, true}},
		{"tolerated", func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{{Key: "role", Value: "gateway"}} }, []corev1.Taint{
			taint(corev1.TaintEffectNoSchedule), taint(corev1.TaintEffectNoExecute),
		}, fitness{true, true}},
		{"a board that is cordoned", nil, []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}, fitness{true, true}},
		{"a board that is not ready", nil, []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}, fitness{true, true}},
		{"a board short of memory", nil, []corev1.Taint{{Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule}}, fitness{true, true}},
		{"a board without network", nil, []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}, fitness{false, true}},
		{"which pods of the host's network do not mind", func(s *corev1.PodSpec) { s.HostNetwork = true }, []corev1.Taint{
			{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule},
		}, fitness{true, true}},
	} {
		d := agent(0)
		if c.change != nil {
			c.change(&d.Spec.Template.Spec)
		}
		if got := fits(d, theBoard(c.taints...)); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
func TestTolerationsOfPods(t *testing.T) {
	text := func(list []corev1.Toleration) string {
		var out []string
		for _, o := range list {
			out = append(out, fmt.Sprintf("%s %s %s", strings.TrimPrefix(o.Key, "node.kubernetes.io/"), o.Operator, o.Effect))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	usual := "disk-pressure Exists NoSchedule, memory-pressure Exists NoSchedule, not-ready Exists NoExecute, pid-pressure Exists NoSchedule, unreachable Exists NoExecute, unschedulable Exists NoSchedule"
	if got := text(tolerations(&corev1.PodSpec{})); got != usual {
		t.Errorf("usual: %s", got)
	}
	if got := text(tolerations(&corev1.PodSpec{HostNetwork: true})); !strings.Contains(got, "network-unavailable Exists NoSchedule") {
		t.Errorf("of the host's network: %s", got)
	}
	// One of the template that is about the same taint, but ends after a while, is replaced in its place.
	spec := &corev1.PodSpec{Tolerations: []corev1.Toleration{
		{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
		{Key: "mine", Operator: corev1.TolerationOpExists},
	}}
	got := tolerations(spec)
	if len(got) != 7 || got[0].TolerationSeconds != nil || got[1].Key != "mine" {
		t.Errorf("%+v", got)
	}
	if spec.Tolerations[0].TolerationSeconds == nil || len(spec.Tolerations) != 2 {
		t.Error("wrote into the template")
	}
}

// A pod is bound by an affinity to the board's name, which takes the place of the one that was looked at already; what
// else it would like stays.
func TestBind(t *testing.T) {
	preferred := []corev1.PreferredSchedulingTerm{{Weight: 1}}
	anti := &corev1.PodAntiAffinity{}
	for _, spec := range []*corev1.PodSpec{
		{},
		{Affinity: &corev1.Affinity{PodAntiAffinity: anti}},
		{Affinity: &corev1.Affinity{PodAntiAffinity: anti, NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: preferred,
			RequiredDuringSchedulingIgnoredDuringExecution:  &corev1.NodeSelector{NodeSelectorTerms: make([]corev1.NodeSelectorTerm, 3)},
		}}},
	} {
		before := spec.DeepCopy()
		bind(spec, "board")
		terms := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		if len(terms) != 1 || len(terms[0].MatchExpressions) != 0 || len(terms[0].MatchFields) != 1 {
			t.Fatalf("%+v", terms)
		}
		if f := terms[0].MatchFields[0]; f.Key != "metadata.name" || f.Operator != corev1.NodeSelectorOpIn || !slices.Equal(f.Values, []string{"board"}) {
			t.Errorf("%+v", f)
		}
		if before.Affinity != nil && spec.Affinity.PodAntiAffinity == nil {
			t.Error("forgets what it was to stay away from")
		}
		if before.Affinity != nil && before.Affinity.NodeAffinity != nil && len(spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) != 1 {
			t.Error("forgets what it would like")
		}
	}
}
