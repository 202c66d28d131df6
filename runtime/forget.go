package runtime

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/internal/beneath"
	"podd/runtime/container"
	"podd/runtime/logs"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// containerConfig is everything about one attempt of one container.
func (r *Runtime) containerConfig(rec *state.Record, name string, attempt int, image images.Image) *container.Config {
	c := &container.Config{
		ID:        state.ContainerID(rec.UID, name, attempt),
		Pod:       rec.Object,
		Container: rec.Spec(name),
		Image: container.Image{
			ID: image.ID, User: image.Config.User, WorkingDir: image.Config.WorkingDir, StopSignal: image.Config.StopSignal,
			Entrypoint: image.Config.Entrypoint, Cmd: image.Config.Cmd, Env: image.Config.Env, Layers: image.Layers,
		},
		Sandbox:  r.sandboxes.For(rec),
		CgroupNS: r.Cgroups.Version() == 2,
		OOMGroup: r.Cgroups.Version() == 2 && slices.Contains(r.Cgroups.Controllers(), "memory"),
	}
	score := sandbox.OOMScoreAdj(rec.Object, c.Container, r.MemoryCapacity)
	if score < r.OOMScoreFloor {
		score = r.OOMScoreFloor
	}
	c.OOMScoreAdj = &score
	if c.Container.TerminationMessagePath != "" {
		c.TerminationLog = r.paths.TerminationLog(rec.UID, name, attempt)
	}
	return c
}

// imageOf is the image that a container runs from; a name may have been given to another one since.
func (r *Runtime) imageOf(rec *state.Record, name string) (images.Image, error) {
	if image, err := r.Images.Get(rec.Container(name).ImageID); err == nil {
		return image, nil
	}
	return r.imageFor(rec, name)
}

// stopSignal is what a container is asked to end with: its own, the image's, or TERM. KEP-4960
func (r *Runtime) stopSignal(rec *state.Record, name string) string {
	if l := rec.Spec(name).Lifecycle; l != nil && l.StopSignal != nil {
		return string(*l.StopSignal)
	}
	if image, err := r.imageOf(rec, name); err == nil && image.Config.StopSignal != "" {
		return image.Config.StopSignal
	}
	return string(corev1.SIGTERM)
}

// imageFor is the image that a container's next attempt runs from.
func (r *Runtime) imageFor(rec *state.Record, name string) (images.Image, error) {
	if pin := rec.Pins[name]; pin != "" {
		if image, err := r.Images.Get(pin); err == nil {
			return image, nil
		}
	}
	return r.Images.Get(rec.Spec(name).Image)
}

// Kubernetes' limits for a termination message.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
const (
	maxMessageBytes  = 4096
	maxFallbackBytes = 2048
	maxFallbackLines = 80
)

// terminationMessage is what an ended container had to say: its message file or, where the policy says so and
// it failed, the end of its log.
func (r *Runtime) terminationMessage(rec *state.Record, name string, attempt int) string {
	message := beneath.ReadUpTo(r.paths.TerminationLog(rec.UID, name, attempt), maxMessageBytes)
	c := rec.Container(name)
	if message != "" || rec.Spec(name).TerminationMessagePolicy != "FallbackToLogsOnError" || c.Ended == nil || c.Ended.Code == 0 {
		return message
	}
	tail, err := logs.Tail(r.paths.ContainerLogs(rec, name), attempt, maxFallbackBytes, maxFallbackLines)
	if err != nil {
		return fmt.Sprintf("cannot read the log: %v", err)
	}
	return tail
}
