package printers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/kinds"
)

// As the API server prints them: kubernetes pkg/printers/internalversion, printNode.
func TestNodeTable(t *testing.T) {
	node := func(change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "x", CreationTimestamp: ago(3 * time.Hour), Labels: map[string]string{}}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue}, {Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		change(n)
		return n
	}
	const rest = "||<none>|<none>|<unknown>|<unknown>|<unknown>"
	for want, n := range map[string]*corev1.Node{
		"|Unknown|<none>|<unknown>" + rest: {},
		"x|Ready|<none>|3h" + rest:         node(func(*corev1.Node) {}),
		"x|NotReady|<none>|3h" + rest: node(func(n *corev1.Node) {
			n.Status.Conditions[1].Status = corev1.ConditionUnknown
		}),
		"x|Ready,SchedulingDisabled|<none>|3h" + rest: node(func(n *corev1.Node) { n.Spec.Unschedulable = true }),
		"x|Unknown,SchedulingDisabled|<none>|3h" + rest: node(func(n *corev1.Node) {
			n.Spec.Unschedulable, n.Status.Conditions = true, nil
		}),
		"x|Ready|gateway,sensor|3h" + rest: node(func(n *corev1.Node) {
			n.Labels = map[string]string{nodeRolePrefix + "sensor": "", nodeRolePrefix + "gateway": "yes", "kubernetes.io/role": "sensor", nodeRolePrefix: "", "role": "none"}
		}),
		"x|Ready|<none>|3h|v1|10.0.0.1|192.0.2.1|Debian|6.1 (arm64)|podd://1": node(func(n *corev1.Node) {
			n.Labels["kubernetes.io/role"] = ""
			n.Status.Addresses = []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: "x"},
				{Type: corev1.NodeExternalIP, Address: "192.0.2.1"},
				{Type: corev1.NodeInternalIP, Address: "10.0.0.1"},
				{Type: corev1.NodeInternalIP, Address: "fd00::1"},
			}
			n.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: "v1", OSImage: "Debian", KernelVersion: "6.1", Architecture: "arm64", ContainerRuntimeVersion: "podd://1"}
		}),
	} {
		checkRow(t, NodeColumns, NodeRow, n, want)
	}
}

// When and how often an event was seen: by its series, by its count, by the time of events.k8s.io, whichever it has.
// kubernetes pkg/printers/internalversion, printEvent
func TestEventTable(t *testing.T) {
	of := corev1.ObjectReference{Kind: "Pod", Name: "web", FieldPath: "spec.containers{app}"}
	meta := metav1.ObjectMeta{Name: "web.1"}
	micro := func(d time.Duration) metav1.MicroTime { return metav1.MicroTime(ago(d)) }
	for want, e := range map[string]*corev1.Event{
		"<unknown>|||||||<unknown>|1|": {},
		"60m|Warning|BackOff|pod/web|spec.containers{app}|podd, board|back off|3h|7|web.1": {
			ObjectMeta: meta, InvolvedObject: of, Type: "Warning", Reason: "BackOff", Message: " back off\n", Count: 7,
			FirstTimestamp: ago(3 * time.Hour), LastTimestamp: ago(time.Hour), Source: corev1.EventSource{Component: "podd", Host: "board"},
			ReportingController: "other", ReportingInstance: "other", EventTime: micro(9 * time.Hour),
		},
		"3h||||||once|3h|1|web.1":                 {ObjectMeta: meta, FirstTimestamp: ago(3 * time.Hour), Message: "once"},
		"5h|||||controller, instance||5h|1|web.1": {ObjectMeta: meta, EventTime: micro(5 * time.Hour), ReportingController: "controller", ReportingInstance: "instance"},
		"120m|||||controller||5h|40|web.1": {
			ObjectMeta: meta, EventTime: micro(5 * time.Hour), ReportingController: "controller", Count: 7,
			Series: &corev1.EventSeries{Count: 40, LastObservedTime: micro(2 * time.Hour)},
		},
		"<unknown>|||node||||<unknown>|1|": {InvolvedObject: corev1.ObjectReference{Kind: "Node"}},
	} {
		checkRow(t, EventColumns, EventRow, e, want)
	}
}

func TestTablesOfTheCluster(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "x", CreationTimestamp: ago(3 * time.Hour)}
	checkRow(t, NamespaceColumns, NamespaceRow, &corev1.Namespace{ObjectMeta: meta, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}, "x|Active|3h")
	checkRow(t, NamespaceColumns, NamespaceRow, &corev1.Namespace{}, "||<unknown>")
	checkRow(t, RuntimeClassColumns, RuntimeClassRow, &nodev1.RuntimeClass{ObjectMeta: meta, Handler: "nested"}, "x|nested|3h")
	checkRow(t, StoredColumns, StoredRow, &kinds.Stored{ObjectMeta: meta}, "x|stored, not acted on|3h")
	checkRow(t, PodColumns, PodRow, &corev1.Pod{}, "|0/0||0|<unknown>|<none>|<none>|<none>|<none>")
}

// The first column of each table is the name; those of -o wide say so.
func TestColumns(t *testing.T) {
	for name, columns := range map[string]func() []metav1.TableColumnDefinition{
		"nodes": NodeColumns, "namespaces": NamespaceColumns, "runtimeclasses": RuntimeClassColumns, "pods": PodColumns, "stored": StoredColumns,
	} {
		list := columns()
		if list[0].Name != "Name" || list[0].Format != "name" {
			t.Errorf("%s: the first column is %+v", name, list[0])
		}
		for _, c := range list {
			if c.Description == "" || c.Type != "string" || c.Name != "Name" && c.Format != "" {
				t.Errorf("%s: column %+v", name, c)
			}
		}
	}
	wide := 0
	for _, c := range EventColumns() {
		if c.Priority > 0 {
			wide++
		}
	}
	if wide != 5 {
		t.Errorf("%d columns of events are for -o wide alone", wide)
	}
}
