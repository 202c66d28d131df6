package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/images"
	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/event"
	"podd/runtime/lifecycle"
	"podd/runtime/logs"
	"podd/runtime/state"
)

// EventLog is where the API reads events from.
type EventLog interface {
	List(namespace string) ([]corev1.Event, uint64)
	Watch(since uint64) (<-chan event.Change, func(), error)
}

// Backend is the runtime as the API sees it.
type Backend struct {
	*Runtime
	ImageStore *images.Store
	EventLog   EventLog
	Version    string
	// ConfigProblem is the sentence about a configuration file that is not in force; nil or "": there is none.
	ConfigProblem func() string
	// Ailments is what `podd doctor` would say of this board; nil or "": nothing.
	Ailments func() string
}

// Pods lists the published pods.
func (b *Backend) Pods() ([]*corev1.Pod, uint64) {
	b.Touch()
	return b.store.Pods()
}

// WatchPods delivers changes of pods.
func (b *Backend) WatchPods(since uint64) (<-chan api.PodEvent, func(), error) {
	return b.store.WatchPods(since)
}

// Events lists what happened, oldest first.
func (b *Backend) Events() ([]corev1.Event, uint64) { return b.EventLog.List("") }

// WatchEvents delivers what happens.
func (b *Backend) WatchEvents(since uint64) (<-chan api.EventEvent, func(), error) {
	changes, cancel, err := b.EventLog.Watch(since)
	if errors.Is(err, event.ErrTooOld) {
		err = api.ErrTooOld
	}
	if err != nil {
		return nil, nil, err
	}
	out := make(chan api.EventEvent)
	stop := make(chan struct{})
	go func() {
		defer close(out)
		for c := range changes {
			select {
			case out <- api.EventEvent{Type: c.Type, Event: c.Event, RV: c.RV}:
			case <-stop:
				return
			}
		}
	}()
	return out, sync.OnceFunc(func() { close(stop); cancel() }), nil
}

// attemptOf is one attempt of a container as a request found it.
type attemptOf struct {
	rec     *state.Record
	current int
	running bool
	config  *container.Config
	done    <-chan struct{}
}

// find looks a container up in the loop.
func (b *Backend) find(ctx context.Context, namespace, name, containerName string) (attemptOf, error) {
	var a attemptOf
	err := api.AsNotFound(fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name))
	if callErr := b.call(ctx, func() {
		for _, p := range b.pods {
			if p.Record.Object.Namespace != namespace || p.Record.Object.Name != name || p.Record.State == state.PodWaiting && b.blocked(p) {
				continue
			}
			a, err = b.attempt(p, containerName)
		}
	}); callErr != nil {
		return a, callErr
	}
	return a, err
}

func (b *Backend) attempt(p *lifecycle.Pod, containerName string) (attemptOf, error) {
	c := p.Record.Container(containerName)
	if c == nil {
		return attemptOf{}, api.AsNotFound(fmt.Errorf("%w: container %s in pod %s", ErrNotFound, containerName, p.Name()))
	}
	rec := *p.Record
	a := attemptOf{rec: &rec, current: c.Attempt, running: c.State.Alive()}
	if l := p.IO[containerName]; l != nil {
		a.done = l.Done()
	}
	if config, err := b.execConfig(&rec, c); err == nil {
		a.config = config
	}
	return a, nil
}

// execConfig is the configuration that the current attempt of a container was started with.
func (r *Runtime) execConfig(rec *state.Record, c *state.ContainerRecord) (*container.Config, error) {
	image, err := r.imageOf(rec, c.Name)
	if err != nil {
		return nil, err
	}
	config := r.executor.ExecConfig(rec, c, image)
	config.Rlimits = r.settings.Load().Rlimits
	return config, nil
}

// Logs writes a container's log.
func (b *Backend) Logs(ctx context.Context, namespace, name string, o *corev1.PodLogOptions, w io.Writer) error {
	a, err := b.find(ctx, namespace, name, o.Container)
	if err != nil {
		return err
	}
	if o.Previous {
		a.current, a.done = a.current-1, nil
	}
	if a.done == nil {
		closed := make(chan struct{})
		close(closed)
		a.done = closed
	}
	options := logs.ReadOptions{
		Attempt: a.current, TailLines: o.TailLines, LimitBytes: o.LimitBytes,
		Timestamps: o.Timestamps, Follow: o.Follow, Done: a.done,
	}
	if o.Stream != nil && *o.Stream != corev1.LogStreamAll {
		options.Stream = strings.ToLower(*o.Stream)
	}
	switch {
	case o.SinceTime != nil:
		options.SinceTime = o.SinceTime.Time
	case o.SinceSeconds != nil:
		options.SinceTime = time.Now().Add(-time.Duration(*o.SinceSeconds) * time.Second)
	}
	return logs.Read(ctx, b.paths.ContainerLogs(a.rec, o.Container), options, w)
}

// DeletePod ends a pod by hand. Its manifest stays, and so it begins anew.
func (b *Backend) DeletePod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	err := api.AsNotFound(fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name))
	if callErr := b.call(ctx, func() {
		for uid, p := range b.pods {
			if p.Record.Object.Namespace != namespace || p.Record.Object.Name != name {
				continue
			}
			err = nil
			p.Deleted = true
			if o != nil && o.GracePeriodSeconds != nil {
				p.Grace = o.GracePeriodSeconds
				b.lifecycle.ShortenGrace(p, time.Duration(*o.GracePeriodSeconds)*time.Second, b.now())
			}
			b.mark(uid)
		}
	}); callErr != nil {
		return callErr
	}
	return err
}

// SetConditions sets conditions that podd does not set itself: those that readiness gates wait for.
func (b *Backend) SetConditions(ctx context.Context, namespace, name string, conditions []corev1.PodCondition) error {
	err := api.AsNotFound(fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name))
	if callErr := b.call(ctx, func() {
		for uid, p := range b.pods {
			if p.Record.Object.Namespace != namespace || p.Record.Object.Name != name || p.Record.State == state.PodWaiting && b.blocked(p) {
				continue
			}
			err = nil
			if p.Record.Set == nil {
				p.Record.Set = map[string]state.SetCondition{}
			}
			for _, c := range conditions {
				p.Record.Set[string(c.Type)] = state.SetCondition{Status: c.Status, Reason: c.Reason, Message: c.Message}
			}
			b.save(p)
			b.publish(p, b.now())
			b.mark(uid)
		}
	}); callErr != nil {
		return callErr
	}
	return err
}

// Images lists the images of the store.
func (b *Backend) Images() []api.ImageInfo {
	var list []api.ImageInfo
	for _, i := range b.ImageStore.List() {
		list = append(list, imageInfo(i))
	}
	return list
}

func imageInfo(i images.Image) api.ImageInfo {
	return api.ImageInfo{ID: i.ID, Names: i.Names, Digest: i.Digest, Size: i.Size, Created: i.Created, Platform: i.Platform}
}

// LoadImage reads an archive into the store and wakes the pods that wait for an image.
func (b *Backend) LoadImage(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	loaded, err := b.ImageStore.Load(ctx, r, images.LoadOptions{Name: o.Name})
	b.ImagesChanged()
	var list []api.ImageInfo
	for _, i := range loaded {
		list = append(list, imageInfo(i))
	}
	return list, imageError(err)
}

// RemoveImage removes an image that no container runs from and no volume shows.
func (b *Backend) RemoveImage(ref string) ([]string, error) {
	var used state.ImageUse
	if err := b.call(context.Background(), func() { used = b.imageUse() }); err != nil {
		return nil, err
	}
	removed, err := b.ImageStore.Remove(ref, func(id string) bool { return used.IDs[id] })
	return removed, imageError(err)
}

// imageError gives the sentences of the image store their codes.
func imageError(err error) error {
	switch {
	case errors.Is(err, images.ErrNotFound):
		return api.AsNotFound(err)
	case errors.Is(err, images.ErrInUse):
		return api.AsConflict(err)
	case errors.Is(err, images.ErrRefused), errors.Is(err, images.ErrTruncated), errors.Is(err, images.ErrPlatform), errors.Is(err, images.ErrBadName):
		return api.AsBadRequest(err)
	}
	return err
}
