package rollout

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/update"
	"podd/runtime/state"
)

// resizeRetry is how long a resize rests that the kernel could not take, because too much memory is in use.
const resizeRetry = 10 * time.Second

// recordResize marks which containers get other limits than those of before, and which have to start anew for it.
func recordResize(rec *state.Record, before *corev1.Pod, names []string) {
	if len(names) == 0 {
		return
	}
	old := state.Record{Object: before}
	if rec.Resize == nil {
		rec.Resize = &state.ResizeRecord{Before: map[string]corev1.ResourceRequirements{}}
	}
	rec.Resize.Applied, rec.Resize.Error, rec.Resize.NotBefore = false, "", 0
	for _, name := range names {
		c, is, was := rec.Container(name), rec.Spec(name), old.Spec(name)
		if update.RestartsForResize(was, is) {
			c.MarkChanged(fmt.Sprintf("Container %s resize requires restart", name))
		}
		if _, known := rec.Resize.Before[name]; !known {
			rec.Resize.Before[name] = was.Resources
		}
	}
}

// CompleteResize takes in that the pod's cgroups have the limits of object. It is false, and nothing is taken in, if those
// are not the pod's limits any more.
func CompleteResize(rec *state.Record, object *corev1.Pod) bool {
	if rec.Resize == nil || object != rec.Object {
		return false
	}
	rec.Resize.Applied, rec.Resize.Error = true, ""
	for _, c := range rec.Containers {
		if !c.Changed {
			rec.MarkResized(c.Name)
		}
	}
	return true
}

// FailResize takes in that a resize has failed, and lets it rest. It says whether the error is news.
func FailResize(rec *state.Record, err error, now state.Instant) (news bool) {
	if rec.Resize == nil {
		return false
	}
	rec.Resize.NotBefore = now.After(resizeRetry)
	news = rec.Resize.Error != err.Error()
	rec.Resize.Error = err.Error()
	return news
}
