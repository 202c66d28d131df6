// Package backend is the runtime as the API sees it: what it shows and what it can be asked for.
package backend

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/images"
	"podd/runtime"
	"podd/runtime/api/hub"
	"podd/runtime/event"
	"podd/runtime/imagepull"
	"podd/runtime/logs"
)

// EventLog is where the API reads events from.
type EventLog interface {
	List(namespace string) ([]corev1.Event, uint64)
	Watch(since uint64) (<-chan event.Change, func(), error)
}

// Backend is the runtime as the API sees it.
type Backend struct {
	Runtime    *runtime.Runtime
	ImageStore *images.Store
	Puller     *imagepull.Puller
	EventLog   EventLog
	Version    string
	Labels     func() map[string]string  // of the node
	Handlers   *atomic.Pointer[[]string] // names of its runtime handlers
	// ConfigProblem is the sentence about a configuration file that is not in force; nil or "": there is none.
	ConfigProblem func() string
	// Ailments is what `podd doctor` would say of this board; nil or "": nothing.
	Ailments func() string
}

// Pods lists the published pods.
func (b *Backend) Pods() ([]*corev1.Pod, uint64) {
	b.Runtime.Touch()
	return b.Runtime.Store().Pods()
}

// WatchPods delivers changes of pods.
func (b *Backend) WatchPods(since uint64) (<-chan hub.PodEvent, func(), error) {
	return b.Runtime.Store().WatchPods(since)
}

// Events lists what happened, oldest first.
func (b *Backend) Events() ([]corev1.Event, uint64) { return b.EventLog.List("") }

// WatchEvents delivers what happens.
func (b *Backend) WatchEvents(since uint64) (<-chan hub.EventEvent, func(), error) {
	changes, cancel, err := b.EventLog.Watch(since)
	if errors.Is(err, event.ErrTooOld) {
		err = hub.ErrTooOld
	}
	if err != nil {
		return nil, nil, err
	}
	out := make(chan hub.EventEvent)
	stop := make(chan struct{})
	go func() {
		defer close(out)
		for c := range changes {
			select {
			case out <- hub.EventEvent{Type: c.Type, Event: c.Event, RV: c.RV}:
			case <-stop:
				return
			}
		}
	}()
	return out, sync.OnceFunc(func() { close(stop); cancel() }), nil
}

// Logs writes a container's log.
func (b *Backend) Logs(ctx context.Context, namespace, name string, o *corev1.PodLogOptions, w io.Writer) error {
	a, err := b.Runtime.Attempt(ctx, namespace, name, o.Container)
	if err != nil {
		return err
	}
	if o.Previous {
		a.Number, a.LogDone = a.Number-1, nil
	}
	if a.LogDone == nil {
		closed := make(chan struct{})
		close(closed)
		a.LogDone = closed
	}
	options := logs.ReadOptions{
		Attempt: a.Number, TailLines: o.TailLines, LimitBytes: o.LimitBytes,
		Timestamps: o.Timestamps, Follow: o.Follow, Done: a.LogDone,
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
	return logs.Read(ctx, a.Logs, options, w)
}

// DeletePod ends a pod by hand. Its manifest stays, and so it begins anew.
func (b *Backend) DeletePod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	var grace *int64
	if o != nil {
		grace = o.GracePeriodSeconds
	}
	return b.Runtime.DeletePod(ctx, namespace, name, grace)
}

// EvictPod ends a pod if its disruption budgets let it go now.
func (b *Backend) EvictPod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	err := b.Runtime.EvictPod(ctx, namespace, name, o)
	refusal := runtime.Refused(err)
	switch {
	case refusal == nil:
		return err
	case refusal.Budget == "":
		return apierrors.NewInternalError(refusal)
	}
	answer := apierrors.NewTooManyRequests(refusal.Error(), 0)
	answer.ErrStatus.Details.Causes = append(answer.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: refusal.Cause})
	return answer
}

// AddEphemeral adds ephemeral containers to a pod.
func (b *Backend) AddEphemeral(ctx context.Context, namespace, name string, list []corev1.EphemeralContainer, whole, dryRun bool) error {
	return b.Runtime.AddEphemeral(ctx, namespace, name, list, whole, dryRun)
}

// SetConditions sets conditions that podd does not set itself: those that readiness gates wait for.
func (b *Backend) SetConditions(ctx context.Context, namespace, name string, conditions []corev1.PodCondition) error {
	return b.Runtime.SetConditions(ctx, namespace, name, conditions)
}

// OpenID is what a verifier of tokens needs: the document of discovery and the keys.
func (b *Backend) OpenID(ctx context.Context) (discovery, keys []byte, err error) {
	return b.Runtime.OpenID(ctx)
}

// Objects lists the objects of a kind as the API shows them.
func (b *Backend) Objects(kind string) ([]hub.Object, uint64) { return b.Runtime.Store().Objects(kind) }

// WatchObjects delivers changes of objects of all kinds.
func (b *Backend) WatchObjects(since uint64) (<-chan hub.ObjectEvent, func(), error) {
	return b.Runtime.Store().WatchObjects(since)
}

// ObjectProblems are the sentences about documents of a kind that were refused; "": of all kinds but Pod.
func (b *Backend) ObjectProblems(kind string) []string { return b.Runtime.Store().ObjectProblems(kind) }
