package controllers

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fakescale "k8s.io/client-go/scale/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/disruption"
	jobcontroller "k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/replication"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	"k8s.io/kubernetes/pkg/controller/ttlafterfinished"

	"podd/runtime/workload"
	"podd/runtime/workload/job"
	"podd/runtime/workload/workloadtest"
)

var update = flag.Bool("update", false, "write the recordings")

const recordings = "../../../runtime/workload/testdata/recorded"

func TestMain(m *testing.M) {
	flag.Parse()
	// What the store of writes waits for are versions that the fake API server does not count.
	for _, kind := range []string{"DaemonSet", "Job", "ReplicaSet", "StatefulSet"} {
		if err := utilfeature.DefaultMutableFeatureGate.Set("StaleControllerConsistency" + kind + "=false"); err != nil {
			panic(err)
		}
	}
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil // one of them sleeps by another clock than the scenarios'
	os.Exit(m.Run())
}

func TestRecordings(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			var rec workloadtest.Recording
			synctest.Test(t, func(t *testing.T) { rec = run(t, s) })
			data, err := json.MarshalIndent(rec, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, '\n')
			file := filepath.Join(recordings, s.name+".json")
			if *update {
				if err := os.MkdirAll(recordings, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, data, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if old, err := os.ReadFile(file); err != nil || !bytes.Equal(old, data) {
				t.Errorf("the recording differs from the controllers: go test -update (%v)", err)
			}
		})
	}
}

// world is a fake API server with the controllers.
type world struct {
	t        *testing.T
	ctx      context.Context
	client   *fake.Clientset
	next     atomic.Int64
	versions atomic.Int64
	editing  sync.Mutex
	names    workloadtest.Names
	events   []string
	look     map[string]func(key string) error
	rec      workloadtest.Recording
	end      func()
}

func run(t *testing.T, s scenario) workloadtest.Recording {
	ctx, stop := context.WithCancel(t.Context())
	w := &world{t: t, ctx: ctx, client: fake.NewClientset(), rec: workloadtest.Recording{Name: s.name}}
	w.serve()
	w.start()
	s.play(w)
	stop()
	w.end()
	time.Sleep(time.Hour) // what still waits sees the end
	return w.rec
}

// serve lets the fake do what an API server does to objects that are written.
func (w *world) serve() {
	w.client.PrependReactor("create", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		o := a.(clienttesting.CreateAction).GetObject()
		m, err := meta.Accessor(o)
		if err != nil || a.GetResource().Resource == "events" {
			return false, nil, nil
		}
		n := w.next.Add(1)
		if m.GetUID() == "" {
			m.SetUID(types.UID(fmt.Sprintf("uid-%05d", n)))
		}
		if m.GetName() == "" {
			m.SetName(fmt.Sprintf("%s%05d", m.GetGenerateName(), n))
		}
		m.SetNamespace(a.GetNamespace())
		m.SetResourceVersion(w.version())
		m.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
		if hasGeneration(a.GetResource()) {
			m.SetGeneration(1)
		}
		switch o := o.(type) {
		case *corev1.Pod:
			o.Status.Phase = corev1.PodPending
			if o.Spec.NodeName == "" && !controlledBy(o, "DaemonSet") {
				o.Spec.NodeName = workloadtest.NodeName
			}
		case *batchv1.Job:
			legacyscheme.Scheme.Default(o)
			job.GenerateSelector(o)
		}
		return false, nil, nil
	})
	w.client.PrependReactor("update", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		o := a.(clienttesting.UpdateAction).GetObject()
		m, err := meta.Accessor(o)
		if err == nil {
			m.SetResourceVersion(w.version())
		}
		if err != nil || a.GetSubresource() != "" || !hasGeneration(a.GetResource()) {
			return false, nil, nil
		}
		old, err := w.client.Tracker().Get(a.GetResource(), a.GetNamespace(), m.GetName())
		if err != nil {
			return false, nil, nil
		}
		was, _ := meta.Accessor(old)
		m.SetGeneration(was.GetGeneration())
		if !equality.Semantic.DeepEqual(specOf(old), specOf(o)) {
			m.SetGeneration(was.GetGeneration() + 1)
		}
		return false, nil, nil
	})
	// Handlers of events take an object of the same version for unchanged.
	w.client.PrependReactor("patch", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		handled, o, err := clienttesting.ObjectReaction(w.client.Tracker())(a)
		if err == nil {
			w.editPod(a.(clienttesting.PatchAction).GetName(), func(*corev1.Pod) {})
		}
		return handled, o, err
	})
	// Pods end with their grace.
	w.client.PrependReactor("delete", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.editPod(a.(clienttesting.DeleteAction).GetName(), func(p *corev1.Pod) {
			if p.DeletionTimestamp == nil {
				now := metav1.NewTime(time.Now().Truncate(time.Second))
				p.DeletionTimestamp = &now
			}
		})
		return true, nil, nil
	})
}

func (w *world) version() string { return strconv.FormatInt(w.versions.Add(1), 10) }

func hasGeneration(r schema.GroupVersionResource) bool {
	return r.Resource != "pods" && r.Resource != "controllerrevisions" && r.Resource != "persistentvolumeclaims" && r.Resource != "nodes"
}

func controlledBy(o metav1.Object, kind string) bool {
	ref := metav1.GetControllerOf(o)
	return ref != nil && ref.Kind == kind
}

func specOf(o runtime.Object) any {
	data, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		panic(err)
	}
	return data["spec"]
}

func (w *world) start() {
	f := informers.NewSharedInformerFactory(w.client, 0)
	apps, core, batch := f.Apps().V1(), f.Core().V1(), f.Batch().V1()
	must := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	d, err := deployment.NewDeploymentController(w.ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), w.client)
	must(err)
	rs := replicaset.NewReplicaSetController(w.ctx, apps.ReplicaSets(), core.Pods(), w.client, 500)
	rc := replication.NewReplicationManager(w.ctx, core.Pods(), core.ReplicationControllers(), w.client, 500)
	ss := statefulset.NewStatefulSetController(w.ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), w.client)
	ds, err := daemon.NewDaemonSetsController(w.ctx, apps.DaemonSets(), apps.ControllerRevisions(), core.Pods(), core.Nodes(), w.client,
		flowcontrol.NewBackOff(time.Second, 15*time.Minute))
	must(err)
	j, err := jobcontroller.NewController(w.ctx, w.client, core.Pods(), batch.Jobs(), f.Scheduling().V1beta1().Workloads(), f.Scheduling().V1beta1().PodGroups())
	must(err)
	cj, err := cronjob.NewControllerV2(w.ctx, batch.Jobs(), batch.CronJobs(), w.client)
	must(err)
	ttl := ttlafterfinished.New(w.ctx, batch.Jobs(), w.client)
	known := w.client.Discovery().(*fakediscovery.FakeDiscovery)
	known.Resources = []*metav1.APIResourceList{
		{GroupVersion: "batch/v1", APIResources: []metav1.APIResource{{Name: "jobs"}}},
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "daemonsets"}}},
	}
	scales := &fakescale.FakeScaleClient{}
	scales.AddReactor("get", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewNotFound(a.GetResource().GroupResource(), "")
	})
	pdb := disruption.NewDisruptionController(w.ctx, core.Pods(), f.Policy().V1().PodDisruptionBudgets(), core.ReplicationControllers(),
		apps.ReplicaSets(), apps.Deployments(), apps.StatefulSets(), w.client, testrestmapper.TestOnlyStaticRESTMapper(legacyscheme.Scheme),
		scales, known)

	handler := func(c any, names ...string) func(string) error {
		h := field[func(context.Context, string) error](c, names...)
		return func(key string) error { return h(w.ctx, key) }
	}
	w.look = map[string]func(string) error{
		"Deployment":            handler(d, "syncHandler"),
		"ReplicaSet":            handler(rs, "syncHandler"),
		"ReplicationController": handler(rc, "ReplicaSetController", "syncHandler"),
		"DaemonSet":             handler(ds, "syncHandler"),
		"Job": func(key string) error {
			return errors.Join(handler(j, "syncHandler")(key), processTTL(ttl, w.ctx, key))
		},
		"PodDisruptionBudget": func(key string) error { return syncBudget(pdb, w.ctx, key) },
		"StatefulSet":         func(key string) error { return syncStatefulSet(ss, w.ctx, key) },
		"CronJob": func(key string) error {
			_, err := syncCronJob(cj, w.ctx, key)
			return err
		},
	}
	for _, b := range []record.EventBroadcaster{
		field[record.EventBroadcaster](d, "eventBroadcaster"), field[record.EventBroadcaster](rs, "eventBroadcaster"),
		field[record.EventBroadcaster](rc, "ReplicaSetController", "eventBroadcaster"), field[record.EventBroadcaster](ss, "eventBroadcaster"),
		field[record.EventBroadcaster](ds, "eventBroadcaster"), field[record.EventBroadcaster](j, "broadcaster"),
		field[record.EventBroadcaster](cj, "broadcaster"), field[record.EventBroadcaster](pdb, "broadcaster"),
	} {
		b.StartEventWatcher(func(e *corev1.Event) {
			w.events = append(w.events, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Message))
		})
	}
	w.end = func() {
		for _, c := range []any{d, rs, &rc.ReplicaSetController, ss, ds, j, cj, ttl, pdb} {
			shutQueues(c)
		}
		f.Shutdown()
	}
	f.Start(w.ctx.Done())
	f.WaitForCacheSync(w.ctx.Done())
	synctest.Wait()
}

var resources = map[string]schema.GroupVersionResource{
	"Deployment":            appsv1.SchemeGroupVersion.WithResource("deployments"),
	"ReplicaSet":            appsv1.SchemeGroupVersion.WithResource("replicasets"),
	"ReplicationController": corev1.SchemeGroupVersion.WithResource("replicationcontrollers"),
	"StatefulSet":           appsv1.SchemeGroupVersion.WithResource("statefulsets"),
	"DaemonSet":             appsv1.SchemeGroupVersion.WithResource("daemonsets"),
	"Job":                   batchv1.SchemeGroupVersion.WithResource("jobs"),
	"CronJob":               batchv1.SchemeGroupVersion.WithResource("cronjobs"),
	"PodDisruptionBudget":   policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"),
	"ControllerRevision":    appsv1.SchemeGroupVersion.WithResource("controllerrevisions"),
	"PersistentVolumeClaim": corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims"),
	"Node":                  corev1.SchemeGroupVersion.WithResource("nodes"),
}

const namespace = "default"

func (w *world) list(kind string) (list []workload.Object) {
	r := resources[kind]
	gvk := r.GroupVersion().WithKind(kind)
	ns := namespace
	if kind == "Node" {
		ns = ""
	}
	got, err := w.client.Tracker().List(r, gvk, ns)
	if err != nil {
		w.t.Fatal(err)
	}
	items, err := meta.ExtractList(got)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range items {
		list = append(list, i.(workload.Object))
	}
	slices.SortFunc(list, func(a, b workload.Object) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list
}

func (w *world) get(kind, name string) workload.Object {
	o, err := w.client.Tracker().Get(resources[kind], namespace, name)
	if err != nil {
		return nil
	}
	return o.(workload.Object)
}

// pods are in order: the number in their UID counts what was made.
func (w *world) pods() (list []*corev1.Pod) {
	got, err := w.client.CoreV1().Pods(namespace).List(w.ctx, metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range got.Items {
		list = append(list, &got.Items[i])
	}
	slices.SortFunc(list, func(a, b *corev1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	return workloadtest.InOrder(list)
}

func (w *world) editPod(name string, change func(*corev1.Pod)) {
	w.editing.Lock()
	defer w.editing.Unlock()
	r := corev1.SchemeGroupVersion.WithResource("pods")
	o, err := w.client.Tracker().Get(r, namespace, name)
	if err != nil {
		return
	}
	p := o.(*corev1.Pod).DeepCopy()
	change(p)
	p.ResourceVersion = w.version()
	if err := w.client.Tracker().Update(r, p, namespace); err != nil {
		w.t.Fatal(err)
	}
	w.sweep()
}

const collected = "test.podd.dev/collected"

func (w *world) sweep() {
	r := corev1.SchemeGroupVersion.WithResource("pods")
	o, _ := w.client.Tracker().List(r, corev1.SchemeGroupVersion.WithKind("Pod"), namespace)
	for _, p := range o.(*corev1.PodList).Items {
		if p.DeletionTimestamp != nil && p.Labels[collected] != "" && len(p.Finalizers) == 0 {
			if err := w.client.Tracker().Delete(r, namespace, p.Name); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// put writes an object as a person does; an existing one keeps what is not the person's.
func (w *world) put(step *workloadtest.Step, kind string, o workload.Object) {
	legacyscheme.Scheme.Default(o)
	o.SetNamespace(namespace)
	if kind == "Node" {
		o.SetNamespace("")
	}
	if o.GetUID() == "" {
		o.SetUID(types.UID(o.GetName() + "-uid"))
	}
	r := resources[kind]
	var err error
	if old, e := w.client.Tracker().Get(r, o.GetNamespace(), o.GetName()); e == nil {
		was, _ := meta.Accessor(old)
		o.SetCreationTimestamp(was.GetCreationTimestamp())
		o.SetGeneration(was.GetGeneration())
		if !equality.Semantic.DeepEqual(specOf(old), specOf(o)) {
			o.SetGeneration(was.GetGeneration() + 1)
		}
		err = w.client.Tracker().Update(r, o, o.GetNamespace())
	} else {
		o.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
		o.SetGeneration(1)
		if j, ok := o.(*batchv1.Job); ok {
			job.GenerateSelector(j)
		}
		err = w.client.Tracker().Create(r, o, o.GetNamespace())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	plain := o.DeepCopyObject().(workload.Object)
	plain.SetResourceVersion("") // it depends on the order in which controllers write
	data, err := json.Marshal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	step.Put = append(step.Put, workloadtest.Put{Kind: kind, Object: data})
}

func (w *world) apply(c workloadtest.Change) {
	n := 0
	for _, p := range w.pods() {
		if !c.Selects(p) {
			continue
		}
		if n++; c.Count > 0 && n > c.Count {
			return
		}
		// A board of the tests knows what becomes of pods.
		b := workloadtest.New(w.t, 1)
		b.Now = time.Now()
		b.Pods = []*corev1.Pod{p}
		one := c
		one.Count = 0
		one.Apply(b)
		if len(b.Pods) == 0 {
			p = p.DeepCopy()
			p.Labels[collected] = "true"
			b.Pods = []*corev1.Pod{p}
		}
		after := b.Pods[0]
		w.editPod(p.Name, func(q *corev1.Pod) { *q = *after })
	}
}

// rest lets the controllers look one after the other, until a round changes nothing.
func (w *world) rest(step *workloadtest.Step) {
	synctest.Wait()
	for range 200 {
		changed := false
		for _, kind := range looking {
			for _, before := range w.list(kind) {
				before = before.DeepCopyObject().(workload.Object)
				world := w.dump()
				w.events = nil
				err := w.look[kind](namespace + "/" + before.GetName())
				synctest.Wait()
				w.collectGarbage()
				w.sweep()
				synctest.Wait()
				if err != nil {
					w.t.Logf("%s %s: %v", kind, before.GetName(), err)
				}
				if w.dump() != world {
					changed = true
				}
				w.names.Learn(w.pods())
				step.Looks = append(step.Looks, w.names.Look(before, w.get(kind, before.GetName()), w.events)...)
			}
		}
		if !changed {
			step.Rest = w.names.Rest(w.objects(), w.pods())
			w.rec.Steps = append(w.rec.Steps, *step)
			return
		}
	}
	w.t.Fatal("the controllers do not come to rest")
}

// looking are the kinds that have a controller, in the order in which these look.
var looking = []string{
	"CronJob", "Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "ReplicationController", "PodDisruptionBudget",
}

func (w *world) objects() (list []workload.Object) {
	for _, kind := range append(looking[:len(looking):len(looking)], "ControllerRevision", "PersistentVolumeClaim") {
		list = append(list, w.list(kind)...)
	}
	return list
}

// remove takes an object away, as a person does.
func (w *world) remove(step *workloadtest.Step, kind, name string) {
	if err := w.client.Tracker().Delete(resources[kind], namespace, name); err != nil {
		w.t.Fatal(err)
	}
	step.Remove = append(step.Remove, kind+"/"+name)
	w.collectGarbage()
}

// collectGarbage ends what belongs to an object that is gone, as the garbage collector does.
func (w *world) collectGarbage() {
	for again := true; again; {
		again = false
		there := map[types.UID]bool{}
		list := w.objects()
		for _, o := range list {
			there[o.GetUID()] = true
		}
		for _, o := range list {
			if kindOf(o) == "PersistentVolumeClaim" { // they stay as long as somebody may want to see them
				continue
			}
			if ref := metav1.GetControllerOf(o); ref != nil && !there[ref.UID] {
				if err := w.client.Tracker().Delete(resources[kindOf(o)], namespace, o.GetName()); err != nil {
					w.t.Fatal(err)
				}
				again = true
			}
		}
		for _, p := range w.pods() {
			if ref := metav1.GetControllerOf(p); ref != nil && !there[ref.UID] && (p.DeletionTimestamp == nil || len(p.Finalizers) > 0) {
				w.editPod(p.Name, func(p *corev1.Pod) {
					if p.DeletionTimestamp == nil {
						now := metav1.NewTime(time.Now().Truncate(time.Second))
						p.DeletionTimestamp = &now
					}
					p.Finalizers = nil // the Job's controller takes its own away
				})
			}
		}
	}
}

func kindOf(o workload.Object) string {
	if k, place := workloadtest.KindOf(o); place < 100 {
		return k
	}
	_, kind, _ := strings.Cut(fmt.Sprintf("%T", o), ".")
	return kind
}

func (w *world) dump() string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, o := range w.objects() {
		o = o.DeepCopyObject().(workload.Object)
		o.SetResourceVersion("")
		o.SetManagedFields(nil)
		_ = enc.Encode(o)
	}
	for _, p := range w.pods() {
		_ = enc.Encode(p)
	}
	return b.String()
}

// step begins a step of a scenario. Nothing happens in the same second as something else.
func (w *world) step(do string) *workloadtest.Step {
	time.Sleep(time.Second)
	return &workloadtest.Step{Do: do, Now: time.Now().UTC()}
}
