package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/api"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload/disruption"
)

// EvictPod ends a pod as DeletePod does, if the disruption budgets of its namespace let it go now; if not the error is a
// *disruption.Refusal. A dry run asks and does nothing.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
func (q Requests) EvictPod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	r := q.loop
	err := q.pod(ctx, namespace, name, func(p *lifecycle.Pod) error {
		now := r.now()
		shown := shownPod(r.store, p.Record.UID)
		if shown == nil {
			return noPod(namespace, name)
		}
		if err := meets(o.Preconditions, shown); err != nil {
			return err
		}
		ends := func(uid types.UID) bool { return r.pods[uid] != nil && !r.wanted(r.pods[uid]) }
		if !ends(p.Record.UID) { // otherwise it has been evicted already
			if refusal := r.controllers.MayEvict(shown, ends, now); refusal != nil {
				return refusal
			}
		}
		if len(o.DryRun) > 0 {
			return nil
		}
		if p.Record.Set == nil {
			p.Record.Set = map[string]state.SetCondition{}
		}
		p.Record.Set[string(corev1.DisruptionTarget)] = state.SetCondition{
			Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting",
		}
		r.save(p)
		r.publish(p, now)
		q.endByHand(p, o.GracePeriodSeconds, now)
		return nil
	})
	return err
}

// shownPod is a pod as clients see it.
func shownPod(store *objects.Store, uid types.UID) *corev1.Pod {
	pods, _ := store.Pods()
	for _, p := range pods {
		if p.UID == uid {
			return p
		}
	}
	return nil
}

// endByHand ends a pod, in grace seconds if that is not nil: one of the folder begins anew.
func (q Requests) endByHand(p *lifecycle.Pod, grace *int64, now state.Instant) {
	p.Deleted = !p.Record.Made
	if p.Record.Made {
		q.loop.workloads.endMade(p.Record.UID)
	}
	if grace != nil {
		p.Grace = grace
		q.loop.lifecycle.ShortenGrace(p, time.Duration(*grace)*time.Second, now)
	}
	q.loop.mark(p.Record.UID)
}

// meets says whether a pod is the one that a client means.
func meets(c *metav1.Preconditions, p *corev1.Pod) error {
	conflict := func(text string, args ...any) error {
		return apierrors.NewConflict(corev1.Resource("Pod"), p.Name, fmt.Errorf(text, args...))
	}
	switch {
	case c == nil:
	case c.UID != nil && *c.UID != "" && *c.UID != p.UID:
		return conflict("the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *c.UID, p.UID)
	case c.ResourceVersion != nil && *c.ResourceVersion != "" && *c.ResourceVersion != p.ResourceVersion:
		return conflict("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", *c.ResourceVersion, p.ResourceVersion)
	}
	return nil
}

// EndPods ends every pod as StopAll does, but podd stays: the machine shuts down, and waits for this call. It returns when
// there is no pod any more or CancelEnd is called; an end of ctx ends the waiting alone.
func (q Requests) EndPods(ctx context.Context) error {
	ended := make(chan struct{})
	if err := q.call(ctx, func() { podLoop{q.loop}.holdStop(ended, q.loop.now()) }); err != nil {
		return err
	}
	return wait(ctx, ended)
}

// CancelEnd takes EndPods back: all pods run again.
func (q Requests) CancelEnd(ctx context.Context) error {
	return q.call(ctx, func() { podLoop{q.loop}.cancelStop(q.loop.now()) })
}

// ShuttingDown says since when the pods end with the machine; zero: they do not.
func (q Requests) ShuttingDown() time.Time {
	if since := q.loop.held.since.Load(); since != nil {
		return *since
	}
	return time.Time{}
}

// Refused is why a pod may not be evicted now, nil if err is about something else.
func Refused(err error) *disruption.Refusal {
	var refusal *disruption.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return nil
}

// AddEphemeral adds ephemeral containers to a pod that has not ended. whole: list is all that it is to have. They are kept in
// its record: its manifest does not know of them.
// https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
func (q Requests) AddEphemeral(ctx context.Context, namespace, name string, list []corev1.EphemeralContainer, whole, dryRun bool) error {
	r := q.loop
	return q.pod(ctx, namespace, name, func(p *lifecycle.Pod) error {
		rec := p.Record
		if rec.State != state.PodWaiting && rec.State != state.PodRunning || rec.Ending() != nil {
			return api.AsConflict(fmt.Errorf("pod %s has ended, or is about to: nothing can be added to it", p.Name()))
		}
		all, pod, err := manifest.WithEphemeral(rec.Object, rec.Ephemeral, list, whole)
		if err != nil {
			return api.AsInvalid(err)
		}
		_, why := r.admission.forbidden(pod)
		if why == "" {
			why = r.admission.checkSecurity(pod).Refused
		}
		if why != "" {
			return api.AsForbidden(fmt.Errorf("pods %q is forbidden: %s", name, why))
		}
		if dryRun {
			return nil
		}
		rec.AddEphemeral(all)
		r.save(p)
		r.publish(p, r.now())
		r.mark(rec.UID)
		return nil
	})
}
