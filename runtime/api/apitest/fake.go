// Package apitest has a runtime in memory and a server before it, for tests of the API and
// of its clients.
package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api"
	"podd/runtime/api/hub"
	"podd/runtime/api/stream"
	"podd/runtime/manifest/kinds"
)

// Start is the resource version of a Fake without pods.
const Start = 100

// Fake is an api.Backend in memory. Set its functions before it is served.
type Fake struct {
	OnDial func(ctx context.Context, name string, port uint16) (net.Conn, error)
	OnExec func(ctx context.Context, name string, o *corev1.PodExecOptions, s stream.Streams) (int, error)
	// OnAttach is told the container.
	OnAttach func(ctx context.Context, container string, s stream.Streams) error
	OnLogs   func(ctx context.Context, name string, o *corev1.PodLogOptions, w io.Writer) error
	OnLoad   func(r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error)
	// Problems are the sentences about refused objects.
	Problems []string
	// OnRemove removes an image instead of the Fake itself.
	OnRemove func(ref string) ([]string, error)

	mu      sync.Mutex
	rv      uint64
	pods    []*corev1.Pod
	events  []corev1.Event
	images  []api.ImageInfo
	node    *corev1.Node
	podHub  *hub.Hub[hub.PodEvent]
	objects map[string][]hub.Object
	objHub  *hub.Hub[hub.ObjectEvent]
	evHub   *hub.Hub[hub.EventEvent]
}

// New returns a Fake that remembers the last eight changes.
func New(pods ...*corev1.Pod) *Fake {
	f := &Fake{rv: Start, podHub: hub.New[hub.PodEvent](Start, 8), evHub: hub.New[hub.EventEvent](Start, 8), objHub: hub.New[hub.ObjectEvent](Start, 8), objects: map[string][]hub.Object{}, node: node()}
	for _, p := range pods {
		f.Put(p)
	}
	return f
}

// Put adds or replaces a pod.
func (f *Fake) Put(p *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p = p.DeepCopy()
	p.ResourceVersion = f.next()
	typ := watch.Added
	f.pods = slices.Clone(f.pods)
	if i := f.index(p.Namespace, p.Name); i >= 0 {
		typ, f.pods[i] = watch.Modified, p
	} else {
		f.pods = append(f.pods, p)
	}
	f.podHub.Publish(f.rv, hub.PodEvent{Type: typ, Pod: p, RV: f.rv})
}

// Remove takes a pod away.
func (f *Fake) Remove(namespace, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.index(namespace, name)
	if i < 0 {
		return
	}
	f.next()
	p := f.pods[i]
	f.pods = slices.Delete(slices.Clone(f.pods), i, i+1)
	f.podHub.Publish(f.rv, hub.PodEvent{Type: watch.Deleted, Pod: p, RV: f.rv})
}

// PutEvent records an event.
func (f *Fake) PutEvent(e corev1.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.ResourceVersion = f.next()
	f.events = append(slices.Clone(f.events), e)
	f.evHub.Publish(f.rv, hub.EventEvent{Type: watch.Added, Event: &e, RV: f.rv})
}

// PutImage adds an image to the store.
func (f *Fake) PutImage(i api.ImageInfo) { f.images = append(f.images, i) }

func (f *Fake) next() string {
	f.rv++
	return strconv.FormatUint(f.rv, 10)
}

func (f *Fake) index(namespace, name string) int {
	return slices.IndexFunc(f.pods, func(p *corev1.Pod) bool { return p.Namespace == namespace && p.Name == name })
}

func (f *Fake) Pods() ([]*corev1.Pod, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pods, f.rv
}

func (f *Fake) WatchPods(since uint64) (<-chan hub.PodEvent, func(), error) {
	return f.podHub.Watch(since)
}

func (f *Fake) Events() ([]corev1.Event, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events, f.rv
}

func (f *Fake) WatchEvents(since uint64) (<-chan hub.EventEvent, func(), error) {
	return f.evHub.Watch(since)
}

func (f *Fake) Logs(ctx context.Context, _, name string, o *corev1.PodLogOptions, w io.Writer) error {
	return f.OnLogs(ctx, name, o, w)
}

func (f *Fake) Dial(ctx context.Context, _, name string, port uint16) (net.Conn, error) {
	return f.OnDial(ctx, name, port)
}

func (f *Fake) Exec(ctx context.Context, _, name string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
	return f.OnExec(ctx, name, o, s)
}

func (f *Fake) Attach(ctx context.Context, _, _, container string, s stream.Streams) error {
	return f.OnAttach(ctx, container, s)
}

// DeletePod removes a pod, unless its name begins with "file".
func (f *Fake) DeletePod(_ context.Context, namespace, name string, _ *metav1.DeleteOptions) error {
	if strings.HasPrefix(name, "file") {
		return api.BadRequest(fmt.Sprintf("pod %q comes from a file: remove the file", name))
	}
	f.Remove(namespace, name)
	return nil
}

// EvictPod removes a pod.
func (f *Fake) EvictPod(_ context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	if len(o.DryRun) == 0 {
		f.Remove(namespace, name)
	}
	return nil
}

// AddEphemeral adds containers, which run at once.
func (f *Fake) AddEphemeral(_ context.Context, namespace, name string, list []corev1.EphemeralContainer, _, _ bool) error {
	pods, _ := f.Pods()
	for _, p := range pods {
		if p.Namespace == namespace && p.Name == name {
			p = p.DeepCopy()
			for i := range list {
				p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, list[i])
				p.Status.EphemeralContainerStatuses = append(p.Status.EphemeralContainerStatuses, corev1.ContainerStatus{
					Name: list[i].Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
				})
			}
			f.Put(p)
		}
	}
	return nil
}

// SetConditions appends to a pod's conditions.
func (f *Fake) SetConditions(_ context.Context, namespace, name string, conditions []corev1.PodCondition) error {
	pods, _ := f.Pods()
	for _, p := range pods {
		if p.Namespace == namespace && p.Name == name {
			p = p.DeepCopy()
			p.Status.Conditions = append(p.Status.Conditions, conditions...)
			f.Put(p)
		}
	}
	return nil
}

func (f *Fake) Images() []api.ImageInfo { return f.images }

// PullImage finds the images that the fake has already.
func (f *Fake) PullImage(_ context.Context, o api.ImagePull, step func(api.PullStep)) (api.ImageInfo, error) {
	step(api.PullStep{Status: "resolving"})
	for _, i := range f.Images() {
		if slices.Contains(i.Names, o.Name) {
			return i, nil
		}
	}
	return api.ImageInfo{}, api.AsNotFound(fmt.Errorf("manifest at registry.example.com: it does not have it"))
}

// LoadImage reads an archive.
func (f *Fake) LoadImage(_ context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	if f.OnLoad == nil {
		return nil, errors.New("no images here")
	}
	return f.OnLoad(r, o)
}

func (f *Fake) RemoveImage(ref string) ([]string, error) {
	if f.OnRemove != nil {
		return f.OnRemove(ref)
	}
	i := slices.IndexFunc(f.images, func(i api.ImageInfo) bool { return slices.Contains(i.Names, ref) })
	if i < 0 {
		return nil, api.NotFound("images", ref)
	}
	removed := append(slices.Clone(f.images[i].Names), f.images[i].ID)
	f.images = slices.Delete(f.images, i, i+1)
	return removed, nil
}

// SetWorkload does nothing.
func (f *Fake) SetWorkload(context.Context, api.WorkloadName, *api.WorkloadChange) error { return nil }

// RestartWorkload does nothing.
func (f *Fake) RestartWorkload(context.Context, api.WorkloadName, bool) error { return nil }

// UndoWorkload does nothing.
func (f *Fake) UndoWorkload(context.Context, api.WorkloadName, *api.WorkloadUndo) (string, error) {
	return "", nil
}

// Claims hold nothing here.

func (f *Fake) DeleteClaim(_ context.Context, _, name string) error {
	return api.NotFound("persistentvolumeclaims", name)
}

func (f *Fake) BackupClaim(_ context.Context, _, name string, _ io.Writer) error {
	return api.NotFound("persistentvolumeclaims", name)
}

func (f *Fake) RestoreClaim(_ context.Context, _, name string, _ io.Reader) error {
	return api.NotFound("persistentvolumeclaims", name)
}

func (f *Fake) Node() *corev1.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.node
}

// SetUnschedulable cordons the node.
func (f *Fake) SetUnschedulable(_ context.Context, unschedulable, untilBoot bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.node.DeepCopy()
	n.Spec.Unschedulable, n.Annotations = unschedulable, nil
	if unschedulable && untilBoot {
		n.Annotations = map[string]string{"podd.dev/uncordon-after-boot": "true"}
	}
	f.node = n
	return nil
}

// PutObject adds an object of one of the folder's kinds.
func (f *Fake) PutObject(kind string, o hub.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.SetResourceVersion(f.next())
	f.objects[kind] = append(slices.Clone(f.objects[kind]), o)
	f.objHub.Publish(f.rv, hub.ObjectEvent{Type: watch.Added, Kind: kind, Object: o, RV: f.rv})
}

func (f *Fake) Objects(kind string) ([]hub.Object, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind != "" {
		return f.objects[kind], f.rv
	}
	var stored []hub.Object
	for _, list := range f.objects {
		for _, o := range list {
			if _, ok := o.(*kinds.Stored); ok {
				stored = append(stored, o)
			}
		}
	}
	return stored, f.rv
}

func (f *Fake) WatchObjects(since uint64) (<-chan hub.ObjectEvent, func(), error) {
	return f.objHub.Watch(since)
}

func (f *Fake) ObjectProblems(string) []string { return f.Problems }

func (f *Fake) OpenID(context.Context) (discovery, keys []byte, err error) {
	return []byte(`{"issuer":"https://here"}`), []byte(`{"keys":[]}`), nil
}
