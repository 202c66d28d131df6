package executor

import (
	"fmt"
	"slices"

	"podd/images"
	"podd/internal/beneath"
	"podd/runtime/container/spec"
	"podd/runtime/logs"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// ContainerConfig is everything about one attempt of one container.
func (x *Executor) ContainerConfig(rec *state.Record, name string, attempt int, image images.Image) *spec.Config {
	c := &spec.Config{
		ID:        state.ContainerID(rec.UID, name, attempt),
		Pod:       rec.Object,
		Container: rec.Spec(name),
		Image: spec.Image{
			ID: image.ID, User: image.Config.User, WorkingDir: image.Config.WorkingDir, StopSignal: image.Config.StopSignal,
			Entrypoint: image.Config.Entrypoint, Cmd: image.Config.Cmd, Env: image.Config.Env, Layers: image.Layers,
		},
		Sandbox:  x.Sandboxes.For(rec),
		CgroupNS: x.Cgroups.Version() == 2,
		OOMGroup: x.Cgroups.Version() == 2 && slices.Contains(x.Cgroups.Controllers(), "memory"),
	}
	if slices.Contains(x.Cgroups.Controllers(), "hugetlb") {
		c.HugePages = sandbox.HugePageLimits(&rec.Object.Spec, c.Container)
	}
	score := sandbox.OOMScoreAdj(rec.Object, c.Container, x.MemoryCapacity)
	if score < x.OOMScoreFloor {
		score = x.OOMScoreFloor
	}
	c.OOMScoreAdj = &score
	if c.Container.TerminationMessagePath != "" {
		c.TerminationLog = x.Paths.TerminationLog(rec.UID, name, attempt)
	}
	return c
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
func (x *Executor) terminationMessage(rec *state.Record, name string, attempt int) string {
	message := beneath.ReadUpTo(x.Paths.TerminationLog(rec.UID, name, attempt), maxMessageBytes)
	c := rec.Container(name)
	if message != "" || rec.Spec(name).TerminationMessagePolicy != "FallbackToLogsOnError" || c.Ended == nil || c.Ended.Code == 0 {
		return message
	}
	tail, err := logs.Tail(x.Paths.ContainerLogs(rec, name), attempt, maxFallbackBytes, maxFallbackLines)
	if err != nil {
		return fmt.Sprintf("cannot read the log: %v", err)
	}
	return tail
}

// ExecConfig is the configuration that an attempt of a container was started with, for commands that run in it later.
func (x *Executor) ExecConfig(rec *state.Record, c *state.ContainerRecord, image images.Image) *spec.Config {
	config := x.ContainerConfig(rec, c.Name, c.Attempt, image)
	config.Env = x.savedEnv(rec.UID, c.Name, c.Attempt)
	if u := c.User; u != nil {
		config.StartedAs = &spec.User{UID: u.UID, GID: u.GID, Groups: u.Groups}
	}
	return config
}
