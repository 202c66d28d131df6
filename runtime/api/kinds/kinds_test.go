package kinds_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api/apitest"
	"podd/runtime/api/hub"
	"podd/runtime/api/kinds"
	"podd/runtime/manifest"
)

// all are the kinds that are served of a source.
func all(b kinds.Source) []*kinds.Kind {
	list := append([]*kinds.Kind{kinds.Pods(), kinds.Events(), kinds.Nodes(), kinds.Namespaces()}, kinds.Served()...)
	return append(list, kinds.Stored(b)...)
}

// put adds the objects of a manifest.
func put(t *testing.T, f *apitest.Fake, text string) {
	t.Helper()
	objects, problems := manifest.Parse("test.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := range objects {
		f.PutObject(objects[i].Kind, objects[i].Value)
	}
}

// crd defines a kind of others, with its scope and versions.
func crd(kind, plural, scope, versions string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.example.com}
spec: {group: example.com, scope: %[3]s, names: {plural: %[2]s, kind: %[1]s, shortNames: [sh]}, versions: [%[4]s]}
---
`, kind, plural, scope, versions)
}

func sheep(version, name, namespace string) string {
	return fmt.Sprintf("apiVersion: example.com/%s\nkind: Sheep\nmetadata: {name: %s, namespace: %s}\n---\n", version, name, namespace)
}

func version(name string, served, storage bool) string {
	return fmt.Sprintf("{name: %s, served: %v, storage: %v}", name, served, storage)
}

// Each kind has all that lists, tables and selectors need; no two have one path, or one name on the command line.
func TestKindsAreWhole(t *testing.T) {
	paths, words := map[string]string{}, map[string]string{}
	for _, k := range all(apitest.New()) {
		if k.Resource == "" || k.Name == "" || k.List == nil || k.Watch == nil || k.Blank == nil || k.Complete == nil || k.Fields == nil || k.Columns == nil || k.Row == nil {
			t.Errorf("%s lacks something: %+v", k.Resource, k)
			continue
		}
		path := k.Root() + k.Resource
		if other, twice := paths[path]; twice {
			t.Errorf("%s and %s have the path %s", k.Name, other, path)
		}
		paths[path] = k.Name
		for _, w := range append([]string{k.Resource, k.Singular()}, k.Short...) {
			if other, twice := words[w]; twice && other != k.Name {
				t.Errorf("%s and %s are both %q", k.Name, other, w)
			}
			words[w] = k.Name
		}
		if got, want := k.ListMeta(), (metav1.TypeMeta{Kind: k.Name + "List", APIVersion: k.Version()}); got != want {
			t.Errorf("a list of %s is %+v", k.Resource, got)
		}
		if k.Version() == "v1" && k.Root() != "/api/v1/" || k.Version() != "v1" && k.Root() != "/apis/"+k.Version()+"/" {
			t.Errorf("%s of %s is served below %s", k.Resource, k.Version(), k.Root())
		}
		if group, _, _ := strings.Cut(k.Version(), "/"); k.Version() != "v1" && k.GroupName() != group || k.Version() == "v1" && k.GroupName() != "" {
			t.Errorf("%s of %s is of the group %q", k.Resource, k.Version(), k.GroupName())
		}
	}
}

// An object says what it is when it is served, on a copy.
func TestComplete(t *testing.T) {
	for _, k := range all(apitest.New()) {
		if k.Stored {
			continue // these are kept with what they are
		}
		o := k.Blank()
		o.SetName("x")
		done := k.Complete(o)
		if gvk := done.GetObjectKind().GroupVersionKind(); gvk.Kind != k.Name || gvk.GroupVersion().String() != k.Version() || done.GetName() != "x" {
			t.Errorf("%s: %v %s", k.Resource, gvk, done.GetName())
		}
		if o.GetObjectKind().GroupVersionKind().Kind != "" {
			t.Errorf("%s: wrote into the object", k.Resource)
		}
		if name := k.Fields(o)["metadata.name"]; name != "x" {
			t.Errorf("%s: is selected by the name %q", k.Resource, name)
		}
	}
}

// Resources are what clients know of the folder's kinds, as they are served.
func TestResources(t *testing.T) {
	served := map[string]*kinds.Kind{}
	for _, k := range kinds.Served() {
		served[k.Resource] = k
	}
	list := kinds.Resources()
	if len(list) != len(served) {
		t.Errorf("%d resources, %d kinds", len(list), len(served))
	}
	for _, r := range list {
		k := served[r.Plural]
		if k == nil || r.Singular != k.Singular() || !slices.Equal(r.Short, k.Short) || r.Root != k.Root() || r.Group != k.GroupName() || r.Namespaced != k.Namespaced || r.All != k.All || r.Kind != k.Name {
			t.Errorf("%+v is served as %+v", r, k)
		}
	}
	for short, want := range map[string]string{"deploy": "deployments", "rs": "replicasets", "sts": "statefulsets", "ds": "daemonsets", "cj": "cronjobs", "rc": "replicationcontrollers", "pdb": "poddisruptionbudgets", "cm": "configmaps", "svc": "services", "pvc": "persistentvolumeclaims", "pv": "persistentvolumes", "sc": "storageclasses", "sa": "serviceaccounts", "ep": "endpoints", "netpol": "networkpolicies"} {
		if i := slices.IndexFunc(list, func(r kinds.Resource) bool { return slices.Contains(r.Short, short) }); i < 0 || list[i].Plural != want {
			t.Errorf("%s is not %s", short, want)
		}
	}
	var everything []string
	for _, r := range list {
		if r.All {
			everything = append(everything, r.Plural)
		}
	}
	slices.Sort(everything)
	// kubectl get all, but for pods and horizontalpodautoscalers
	if got := strings.Join(everything, " "); got != "cronjobs daemonsets deployments jobs replicasets replicationcontrollers services statefulsets" {
		t.Errorf("get all shows %s", got)
	}
}

// The fields by which an API server lets pods and events be selected. kubernetes pkg/registry/core
func TestFields(t *testing.T) {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}}
	p.Spec = corev1.PodSpec{NodeName: "board", RestartPolicy: "Never", SchedulerName: "s", ServiceAccountName: "robot", HostNetwork: true}
	p.Status = corev1.PodStatus{Phase: "Running", PodIP: "10.0.0.1", NominatedNodeName: "other"}
	if got, want := fmt.Sprint(kinds.Pods().Fields(p)), fmt.Sprint(fields.Set{
		"metadata.name": "web", "metadata.namespace": "shop", "spec.nodeName": "board", "spec.restartPolicy": "Never", "spec.schedulerName": "s",
		"spec.serviceAccountName": "robot", "spec.hostNetwork": "true", "status.phase": "Running", "status.podIP": "10.0.0.1", "status.nominatedNodeName": "other",
	}); got != want {
		t.Errorf("pod: %s", got)
	}
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "shop"}, Reason: "R", Type: "Warning", ReportingController: "controller"}
	e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web", UID: "u", APIVersion: "v1", ResourceVersion: "7", FieldPath: "spec"}
	set := kinds.Events().Fields(e)
	if got, want := fmt.Sprint(set), fmt.Sprint(fields.Set{
		"metadata.name": "e", "metadata.namespace": "shop", "involvedObject.kind": "Pod", "involvedObject.namespace": "shop", "involvedObject.name": "web",
		"involvedObject.uid": "u", "involvedObject.apiVersion": "v1", "involvedObject.resourceVersion": "7", "involvedObject.fieldPath": "spec",
		"reason": "R", "type": "Warning", "source": "controller", "reportingComponent": "controller",
	}); got != want {
		t.Errorf("event: %s", got)
	}
	e.Source.Component = "kubelet"
	if set = kinds.Events().Fields(e); set["source"] != "kubelet" || set["reportingComponent"] != "controller" {
		t.Errorf("event of a component: %v", set)
	}
	if set = kinds.Namespaces().Fields(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}); set["status.phase"] != "Active" || set["metadata.name"] != "shop" {
		t.Errorf("namespace: %v", set)
	}
}

// Namespaces are those that are declared, those that something is in, and default; each once, in order.
func TestNamespaces(t *testing.T) {
	f := apitest.New()
	names := func() string {
		list, _ := kinds.Namespaces().List(f)
		var out []string
		for _, o := range list {
			n := o.(*corev1.Namespace)
			if n.Status.Phase != corev1.NamespaceActive && n.Name != "declared" {
				t.Errorf("%s is %q", n.Name, n.Status.Phase)
			}
			out = append(out, n.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(); got != "default" {
		t.Errorf("of nothing: %s", got)
	}
	f.Put(apitest.Pod("web", func(p *corev1.Pod) { p.Namespace = "shop" }))
	put(t, f, `apiVersion: v1
kind: Namespace
metadata: {name: declared, labels: {team: a}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: config}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: front}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: p
`)
	f.Put(apitest.Pod("db", func(p *corev1.Pod) { p.Namespace = "declared" }))
	if got := names(); got != "config declared default front shop" {
		t.Errorf("%s", got)
	}
	list, _ := kinds.Namespaces().List(f)
	if l := list[1].GetLabels(); l["team"] != "a" {
		t.Errorf("the declared one has labels %v", l)
	}
	if l := list[4].GetLabels(); l["kubernetes.io/metadata.name"] != "shop" {
		t.Errorf("one that is implied has labels %v", l)
	}
	if nodes, _ := kinds.Nodes().List(f); len(nodes) != 1 || nodes[0].GetName() != "board" {
		t.Errorf("%d nodes", len(nodes))
	}
}

// A watch tells of each change once, of its own kind alone, with the version after it on a copy of the object.
func TestWatch(t *testing.T) {
	f := apitest.New()
	follow := func(k *kinds.Kind) kinds.Changes {
		c, err := k.Watch(f, apitest.Start)
		if err != nil {
			t.Fatalf("%s: %v", k.Resource, err)
		}
		t.Cleanup(c.Stop)
		return c
	}
	served := func(resource string) *kinds.Kind {
		list := all(f)
		return list[slices.IndexFunc(list, func(k *kinds.Kind) bool { return k.Resource == resource })]
	}
	pods, events, secrets, ingresses := follow(kinds.Pods()), follow(kinds.Events()), follow(served("secrets")), follow(served("ingresses"))
	pod := apitest.Pod("web")
	f.Put(pod)                                          // 101
	f.PutEvent(apitest.Event(pod, "BackOff", "why", 1)) // 102
	put(t, f, `apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
`) // 103-105
	f.Remove("default", "web") // 106
	for _, want := range []struct {
		from kinds.Changes
		typ  watch.EventType
		name string
		rv   uint64
	}{
		{pods, watch.Added, "web", 101},
		{events, watch.Added, "web.17BackOff", 102},
		{secrets, watch.Added, "s", 104},
		{ingresses, watch.Added, "i", 105},
		{pods, watch.Deleted, "web", 106},
	} {
		c, ok := want.from.Next(t.Context())
		if !ok || c.Type != want.typ || c.Obj.GetName() != want.name || c.RV != want.rv {
			t.Errorf("%v, want %v", c, want)
		}
		if c.Obj.GetResourceVersion() != fmt.Sprint(want.rv) {
			t.Errorf("%s %s has version %s", want.typ, want.name, c.Obj.GetResourceVersion())
		}
	}
	// Nothing comes any more: a watch ends with its context.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	node, err := kinds.Nodes().Watch(f, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]kinds.Changes{"pods": pods, "events": events, "secrets": secrets, "ingresses": ingresses, "the node": node} {
		if got, more := c.Next(ended); more {
			t.Errorf("%s: %v comes after all", name, got)
		}
	}
	node.Stop()
}

// A watcher that asks for what is forgotten has to list again; one that is too slow is told that there is no more.
func TestWatchTooOld(t *testing.T) {
	f := apitest.New()
	slow := map[string]kinds.Changes{}
	for _, k := range []*kinds.Kind{kinds.Pods(), kinds.Events(), kinds.Namespaces()} {
		if _, err := k.Watch(f, apitest.Start+1); !errors.Is(err, hub.ErrTooOld) {
			t.Errorf("%s of a version that is not yet: %v", k.Resource, err)
		}
		c, err := k.Watch(f, apitest.Start)
		if err != nil {
			t.Fatal(err)
		}
		slow[k.Resource] = c
	}
	pod := apitest.Pod("web")
	for range 300 {
		f.Put(pod)
		f.PutEvent(apitest.Event(pod, "R", "m", 1))
		f.PutObject("Namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n"}})
	}
	for name, c := range slow {
		n := 0
		for _, more := c.Next(t.Context()); more; _, more = c.Next(t.Context()) {
			n++
		}
		if n == 0 || n >= 300 {
			t.Errorf("%s: %d changes before the end", name, n)
		}
		c.Stop()
	}
	for _, k := range []*kinds.Kind{kinds.Pods(), kinds.Events(), kinds.Namespaces()} {
		if _, err := k.Watch(f, apitest.Start); !errors.Is(err, hub.ErrTooOld) {
			t.Errorf("%s of a version that is forgotten: %v", k.Resource, err)
		}
	}
}

// A kind of others: what a CustomResourceDefinition says of it, or what can be guessed of its objects.
func TestKindsOfOthers(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // "resource group versions namespaced short"; "": there is none
	}{
		{"defined", crd("Sheep", "sheep", "Namespaced", version("v1", true, true)), "sheep example.com/v1 [] true [sh]"},
		{"of the cluster", crd("Sheep", "sheep", "Cluster", version("v1", true, true)), "sheep example.com/v1 [] false [sh]"},
		{"the version that is kept", crd("Sheep", "sheep", "Cluster", version("v1alpha1", true, false)+","+version("v1", true, true)+","+version("v2", true, false)), "sheep example.com/v1 [] false [sh]"},
		{"no version that is served", crd("Sheep", "sheep", "Cluster", version("v1", false, true)), ""},
		{"the first that is served", crd("Sheep", "sheep", "Cluster", version("v1", false, true)+","+version("v2", true, false)), "sheep example.com/v2 [] false [sh]"},
		{"not defined, without a namespace", "apiVersion: example.com/v1\nkind: Sheep\nmetadata: {name: a}\n", "sheeps example.com/v1 [] false []"},
		{"not defined, one is in a namespace", "apiVersion: example.com/v1\nkind: Sheep\nmetadata: {name: a}\n---\n" + sheep("v1", "b", "shop"), "sheeps example.com/v1 [] true []"},
		{"not defined, of several versions", sheep("v1beta1", "a", "x") + sheep("v1", "b", "x") + sheep("v2alpha1", "c", "x") + sheep("v10", "d", "x"), "sheeps example.com/v10 [example.com/v1 example.com/v1beta1 example.com/v2alpha1] true []"},
		{"defined, with objects of an older version", crd("Sheep", "sheep", "Namespaced", version("v2", true, true)) + sheep("v1", "a", "x"), "sheep example.com/v1 [] true [sh]"},
		{"defined twice", crd("Sheep", "sheep", "Namespaced", version("v1", true, true)) + crd("Sheep", "flock", "Cluster", version("v1", true, true)), "sheep example.com/v1 [] true [sh]"},
		{"a group of Kubernetes' own", strings.ReplaceAll(crd("Sheep", "sheep", "Cluster", version("v1", true, true)), "example.com", "apps"), ""},
		{"no definition to be read", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: sheep.example.com}\nspec: [group, scope]\n", ""},
	} {
		f := apitest.New()
		put(t, f, c.text)
		got := ""
		for _, k := range kinds.Stored(f) {
			if k.Name == "Sheep" {
				if got != "" {
					t.Errorf("%s: twice", c.name)
				}
				got = fmt.Sprint(k.Resource, " ", k.Group, " ", k.Versions, " ", k.Namespaced, " ", k.Short)
				if !k.Stored {
					t.Errorf("%s: podd acts on it", c.name)
				}
				for _, v := range append(k.Versions, k.Group) {
					if found := kinds.FindStored(f, v, k.Resource); found == nil || found.Name != "Sheep" {
						t.Errorf("%s: %s of %s is not found", c.name, k.Resource, v)
					}
				}
				if kinds.FindStored(f, "example.com/v99", k.Resource) != nil || kinds.FindStored(f, k.Group, "wolves") != nil {
					t.Errorf("%s: finds what there is not", c.name)
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// An object without a namespace, of a kind that turns out to have them, is in default; the object itself stays as it was.
func TestPlaced(t *testing.T) {
	f := apitest.New()
	put(t, f, "apiVersion: example.com/v1\nkind: Sheep\nmetadata: {name: a}\n---\n"+sheep("v1", "b", "shop"))
	k := kinds.FindStored(f, "example.com/v1", "sheeps")
	where := func() map[string]string {
		list, rv := k.List(f)
		if rv != apitest.Start+2 {
			t.Errorf("version %d", rv)
		}
		m := map[string]string{}
		for _, o := range list {
			m[o.GetName()] = o.GetNamespace()
		}
		return m
	}
	if got := fmt.Sprint(where()); got != "map[a:default b:shop]" {
		t.Errorf("%s", got)
	}
	kept, _ := f.Objects("Sheep.example.com")
	if ns := kept[0].GetNamespace(); ns != "" {
		t.Errorf("wrote the namespace %s into what is kept", ns)
	}
	c, err := k.Watch(f, apitest.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	for _, want := range []string{"default", "shop"} {
		if ch, ok := c.Next(t.Context()); !ok || ch.Obj.GetNamespace() != want {
			t.Errorf("%v, want one in %s", ch.Obj, want)
		}
	}
	for _, core := range kinds.StoredCore() {
		if core.GroupName() != "" || core.Version() != "v1" {
			t.Errorf("%s is of %s", core.Resource, core.Version())
		}
	}
}
