package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/state"
)

// hookRun is a hook that runs. It belongs to the loop.
type hookRun struct {
	attempt int
	state   state.ContainerState // PostStart or PreStop
	cancel  context.CancelFunc
}

// hook is what a goroutine needs to run one; nothing in it is the loop's.
type hook struct {
	handler *corev1.LifecycleHandler
	config  *container.Config
	target  netTarget
}

// startHook runs the hook of the state that a container is in. Its end comes as a msgHook. A hook that the death of
// the daemon has interrupted is run again: it is delivered at least once.
// https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-delivery-guarantees
func (r *Runtime) startHook(p *pod, c *state.ContainerRecord, now state.Instant) {
	spec := p.rec.Spec(c.Name)
	h := hook{handler: spec.Lifecycle.PostStart, target: r.netTarget(p.rec, spec)}
	ctx, cancel := context.WithCancel(context.Background())
	if c.State == state.ContainerPreStop {
		h.handler = spec.Lifecycle.PreStop
		ctx, cancel = context.WithTimeout(context.Background(), c.StopBy.Sub(now.Mono))
	}
	if p.hooks == nil {
		p.hooks = map[string]*hookRun{}
	}
	run := &hookRun{attempt: c.Attempt, state: c.State, cancel: cancel}
	p.hooks[c.Name] = run
	if h.handler.Exec != nil {
		config, err := r.execConfig(p.rec, c)
		if err != nil {
			cancel()
			r.inbox.put(msgHook{p, c.Name, run, err})
			return
		}
		h.config = config
	}
	r.Log.Info("running hook", "pod", p.name(), "container", c.Name, "hook", hookName(c.State))
	go func() {
		err := r.runHook(ctx, h)
		cancel()
		r.inbox.put(msgHook{p, c.Name, run, err})
	}()
}

// endHook stops a hook whose container has ended.
func (p *pod) endHook(name string) {
	if h := p.hooks[name]; h != nil {
		h.cancel()
		delete(p.hooks, name)
	}
}

func hookName(s state.ContainerState) string {
	if s == state.ContainerPostStart {
		return "PostStartHook"
	}
	return "PreStopHook"
}

// learnHook takes in how a hook has ended.
func (r *Runtime) learnHook(m msgHook, now state.Instant) {
	p, c := m.pod, m.pod.rec.Container(m.name)
	if p.hooks[m.name] != m.run || c == nil || c.State != m.run.state {
		return // its container has ended, or its grace
	}
	delete(p.hooks, m.name)
	c.Hooked = true
	r.save(p)
	r.mark(p.rec.UID)
	if m.err != nil {
		name := hookName(c.State)
		r.Log.Warn("hook failed", "pod", p.name(), "container", c.Name, "hook", name, "error", m.err)
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Failed"+name, name+" failed: "+m.err.Error())
		if c.State == state.ContainerPostStart {
			c.EndReason = "FailedPostStartHook"
		}
		return
	}
	if c.State == state.ContainerPostStart {
		if err := c.Move(state.EventStarted); err != nil {
			r.Log.Error("cannot take in a hook", "pod", p.name(), "container", c.Name, "error", err)
		}
		r.running(p, c, now)
	}
}

func (r *Runtime) runHook(ctx context.Context, h hook) error {
	switch {
	case h.handler.Exec != nil:
		return r.execHook(ctx, h.config, h.handler.Exec.Command)
	case h.handler.HTTPGet != nil:
		return h.target.get(ctx, h.handler.HTTPGet)
	case h.handler.TCPSocket != nil:
		return h.target.connect(ctx, h.handler.TCPSocket)
	case h.handler.Sleep != nil:
		timer := time.NewTimer(time.Duration(h.handler.Sleep.Seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// hookOutput is how much of a failed hook's output its event shows.
const hookOutput = 1 << 10

func (r *Runtime) execHook(ctx context.Context, c *container.Config, command []string) error {
	var out limited
	code, err := r.execPipes(ctx, c, command, api.Streams{Stdout: &out, Stderr: &out})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("it did not end within the grace period")
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("command %q exited with %d: %s", command, code, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
