package prober

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/container/spec"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// hookRun is a hook that runs. It belongs to the loop.
type hookRun struct {
	state  state.ContainerState // PostStart or PreStop
	cancel context.CancelFunc
}

// hook is what a goroutine needs to run one; nothing in it is the loop's.
type hook struct {
	handler *corev1.LifecycleHandler
	config  *spec.Config
	target  target
}

// HookEnded says how a hook has ended.
type HookEnded struct {
	UID  types.UID
	Name string // the container's
	Err  error
	run  *hookRun
}

// StartHook runs the hook of the state that a container is in. A hook that the death of the daemon has interrupted is run
// again: it is delivered at least once.
// https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-delivery-guarantees
func (pr *Prober) StartHook(p *Pod, rec *state.Record, c *state.ContainerRecord) {
	spec := rec.Spec(c.Name)
	h := hook{handler: spec.Lifecycle.PostStart, target: pr.target(rec, spec)}
	ctx, cancel := context.WithCancel(context.Background())
	if c.State == state.ContainerPreStop {
		h.handler = spec.Lifecycle.PreStop
	}
	if p.hooks == nil {
		p.hooks = map[string]*hookRun{}
	}
	ended := HookEnded{UID: rec.UID, Name: c.Name, run: &hookRun{state: c.State, cancel: cancel}}
	p.hooks[c.Name] = ended.run
	if h.handler.Exec != nil {
		if h.config, ended.Err = pr.ExecConfig(rec, c); ended.Err != nil {
			cancel()
			pr.HookEnded(ended)
			return
		}
	}
	pr.Log.Info("running hook", "pod", rec.Name(), "container", c.Name, "hook", HookName(c.State))
	go func() {
		ended.Err = pr.runHook(ctx, h)
		cancel()
		pr.HookEnded(ended)
	}()
}

// HookRuns says whether a hook of a container runs.
func (p *Pod) HookRuns(name string) bool { return p.hooks[name] != nil }

// EndHook stops a hook whose container has ended, or is to. It says whether a preStop hook ran.
func (p *Pod) EndHook(name string) (preStop bool) {
	h := p.hooks[name]
	if h == nil {
		return false
	}
	h.cancel()
	delete(p.hooks, name)
	return h.state == state.ContainerPreStop
}

// TakeHook takes in that a hook has ended. It says whether that is of interest still: its container may have ended, or
// another hook may run. A preStop hook may still run when the grace is over: it ends with its container.
func (p *Pod) TakeHook(rec *state.Record, e HookEnded) bool {
	c := rec.Container(e.Name)
	if e.run == nil || p.hooks[e.Name] != e.run || c == nil {
		return false
	}
	if c.State != e.run.state && (e.run.state != state.ContainerPreStop || c.State != state.ContainerStopping) {
		return false
	}
	delete(p.hooks, e.Name)
	return true
}

// HookName is the hook of a state, in the words of the kubelet's events.
func HookName(s state.ContainerState) string {
	if s == state.ContainerPostStart {
		return "PostStartHook"
	}
	return "PreStopHook"
}

func (pr *Prober) runHook(ctx context.Context, h hook) error {
	switch {
	case h.handler.Exec != nil:
		return pr.execHook(ctx, h.config, h.handler.Exec.Command)
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

func (pr *Prober) execHook(ctx context.Context, c *spec.Config, command []string) error {
	var out limited
	code, err := stdio.ExecPipes(ctx, pr.Engine, c, command, stdio.Streams{Stdout: &out, Stderr: &out})
	switch {
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("command %q exited with %d: %s", command, code, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
