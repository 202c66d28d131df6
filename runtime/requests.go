package runtime

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/controller"
	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/shutdown"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// Requests are what others ask of the loop. Each is answered between two decisions; its errors are those of the API, and that
// of ctx. Any goroutine but the loop's may ask.
type Requests struct{ loop *Runtime }

// call runs fn in the loop and waits for it.
func (q Requests) call(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	q.loop.inbox.put(msgCall{fn, done})
	return wait(ctx, done)
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Beat returns once the loop has come round: the sign of life that a watchdog asks for. It does not count as work.
func (q Requests) Beat(ctx context.Context) error {
	done := make(chan struct{})
	q.loop.inbox.put(msgBeat{done})
	return wait(ctx, done)
}

// Rescan looks at the folder again and returns when what it holds is decided on, or the folder does not answer.
func (q Requests) Rescan(ctx context.Context) error {
	q.loop.ImagesChanged()
	done := make(chan struct{})
	q.loop.inbox.put(msgRescan{done})
	if err := wait(ctx, done); err != nil {
		return err
	}
	return q.call(ctx, q.loop.markWaiting)
}

// LongestGrace is how long the pods that there are may take to end, if all of them are told to now.
func (q Requests) LongestGrace(ctx context.Context) (longest time.Duration, err error) {
	err = q.call(ctx, func() {
		var pods []shutdown.Pod
		for _, p := range q.loop.pods {
			pods = append(pods, shutdown.Pod{Priority: priorityOf(p), Grace: q.loop.stopGrace(p)})
		}
		longest = shutdown.Longest(q.loop.Settings.StopGroups, pods)
	})
	return longest, err
}

// imageUse is what the pods use now, and the versions that they can go back to.
func (q Requests) imageUse() state.ImageUse {
	use := q.loop.podTable.imageUse()
	use.AddIDs(q.loop.rollout.Images())
	use.AddIDs(q.loop.controllers.Images())
	return use
}

// ImageUse is which images, and which of their layers, the pods use now.
func (q Requests) ImageUse(ctx context.Context) (use state.ImageUse, err error) {
	err = q.call(ctx, func() { use = q.imageUse() })
	return use, err
}

// ImageNeeds is which images the pods use, and which ones they, or those that controllers make of the folder, may want. The
// error is that the folder is not known.
func (q Requests) ImageNeeds(ctx context.Context) (use state.ImageUse, err error) {
	callErr := q.call(ctx, func() {
		r := q.loop
		if r.folderNow.Unread || r.orphans.Len() > 0 || !r.scanned {
			err = errors.New("cannot tell which images the pods need: not all of them are known yet")
			return
		}
		use = q.imageUse()
		for _, m := range r.desired {
			use.AddSpec(&m.Object.Spec)
		}
		for i := range r.folderNow.Objects {
			if t := manifest.Template(&r.folderNow.Objects[i]); t != nil {
				use.AddSpec(&t.Spec)
			}
		}
	})
	return use, errors.Join(callErr, err)
}

// LayersInUse are the layers that the pods use now. After an error it is not all of them.
func (q Requests) LayersInUse(ctx context.Context) (map[string]bool, error) {
	use, lost := state.NewImageUse(), 0
	err := q.call(ctx, func() { use, lost = q.imageUse(), q.loop.orphans.Len() })
	if err == nil && lost > 0 {
		err = fmt.Errorf("the records of %d pods that run are lost", lost)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell which images the pods use: %w", err)
	}
	return use.Layers, nil
}

// pod runs fn in the loop with the pod that is shown under a name.
func (q Requests) pod(ctx context.Context, namespace, name string, fn func(p *lifecycle.Pod) error) error {
	err := noPod(namespace, name)
	callErr := q.call(ctx, func() {
		for _, p := range q.loop.pods {
			if is(p, namespace, name) && (p.Record.State != state.PodWaiting || !q.loop.blocked(p)) {
				err = fn(p)
			}
		}
	})
	if callErr != nil {
		return callErr
	}
	return err
}

func noPod(namespace, name string) error {
	return api.AsNotFound(fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name))
}

func is(p *lifecycle.Pod, namespace, name string) bool {
	return keyOf(p.Record.Object) == types.NamespacedName{Namespace: namespace, Name: name}
}

// Attempt is the current attempt of a container as a request has found it.
type Attempt struct {
	Number  int
	Running bool
	Config  *spec.Config    // for commands in it; nil: it is not known
	Unknown error           // why it is not
	Logs    string          // the folder of the container's logs
	LogDone <-chan struct{} // closed when its log is complete; nil: it is
}

// Attempt looks for the current attempt of a container.
func (q Requests) Attempt(ctx context.Context, namespace, name, containerName string) (a Attempt, err error) {
	err = q.pod(ctx, namespace, name, func(p *lifecycle.Pod) error {
		c := p.Record.Container(containerName)
		if c == nil {
			return api.AsNotFound(fmt.Errorf("%w: container %s in pod %s", ErrNotFound, containerName, p.Name()))
		}
		a = Attempt{Number: c.Attempt, Running: c.State.Alive(), Logs: q.loop.paths.ContainerLogs(p.Record, containerName)}
		if l := p.IO[containerName]; l != nil {
			a.LogDone = l.Done()
		}
		rec := *p.Record // the configuration outlives this moment
		a.Config, a.Unknown = q.loop.inputs.execConfig(&rec, c)
		return nil
	})
	return a, err
}

// Command is what is to be run in a container.
type Command struct {
	Container string
	Args      []string
	TTY       bool
	Streams   stdio.Streams
}

// Exec runs a command in a container and returns its exit code (128+n for signal n). It ends with ctx.
func (q Requests) Exec(ctx context.Context, namespace, name string, command Command) (int, error) {
	a, err := q.Attempt(ctx, namespace, name, command.Container)
	if err != nil {
		return 0, err
	}
	// The command's process moves into the container's cgroup, which the kernel makes wait.
	go q.loop.Cgroups.Warm()
	if !a.Running {
		return 0, notRunning(command.Container)
	}
	if a.Config == nil {
		return 0, api.AsBadRequest(fmt.Errorf("cannot run a command in container %s: %w", command.Container, a.Unknown))
	}
	run := stdio.ExecPipes
	if command.TTY {
		run = stdio.ExecTerminal
	}
	code, err := run(ctx, q.loop.engine, a.Config, command.Args, command.Streams)
	if err != nil {
		q.loop.inbox.put(msgCgroup{a.Config.Sandbox.CgroupPath}) // of a container that has lost it, this is how it shows
	}
	return code, err
}

// Attach connects a client with the first process of a container until that has ended, or with ctx.
func (q Requests) Attach(ctx context.Context, namespace, name, containerName string, s stdio.Streams) error {
	var found executor.ContainerIO
	a := stdio.Attachment{Streams: s}
	err := q.pod(ctx, namespace, name, func(p *lifecycle.Pod) error {
		c := p.Record.Container(containerName)
		if c == nil {
			return api.AsNotFound(fmt.Errorf("%w: container %s in pod %s", ErrNotFound, containerName, p.Name()))
		}
		if found = p.IO[containerName]; found == nil || !c.State.Alive() {
			return notRunning(containerName)
		}
		spec := p.Record.Spec(containerName)
		a.HasStdin, a.StdinOnce = spec.Stdin, spec.StdinOnce
		return nil
	})
	if err != nil {
		return err
	}
	err = found.Attach(ctx, a)
	switch {
	case errors.Is(err, container.ErrNotRunning):
		return notRunning(containerName)
	case errors.Is(err, stdio.ErrSlow), errors.Is(err, stdio.ErrUnfollowed):
		return api.AsBadRequest(err)
	}
	return err
}

func notRunning(containerName string) error {
	return api.AsBadRequest(fmt.Errorf("container %s is not running", containerName))
}

// DeletePod ends a pod by hand, in grace seconds if that is not nil. Its manifest stays, and so it begins anew.
func (q Requests) DeletePod(ctx context.Context, namespace, name string, grace *int64) error {
	err := noPod(namespace, name)
	callErr := q.call(ctx, func() {
		for _, p := range q.loop.pods {
			if is(p, namespace, name) {
				err = nil
				q.loop.endByHand(p, grace, q.loop.now())
			}
		}
	})
	if callErr != nil {
		return callErr
	}
	return err
}

// SetConditions sets conditions of a pod that podd does not set itself: those that readiness gates wait for.
func (q Requests) SetConditions(ctx context.Context, namespace, name string, conditions []corev1.PodCondition) error {
	return q.pod(ctx, namespace, name, func(p *lifecycle.Pod) error {
		if p.Record.Set == nil {
			p.Record.Set = map[string]state.SetCondition{}
		}
		for _, c := range conditions {
			p.Record.Set[string(c.Type)] = state.SetCondition{Status: c.Status, Reason: c.Reason, Message: c.Message}
		}
		q.loop.save(p)
		q.loop.publish(p, q.loop.now())
		q.loop.mark(p.Record.UID)
		return nil
	})
}

// NetworkNamespace is the file of a pod's network namespace; "" is the host's.
func (q Requests) NetworkNamespace(ctx context.Context, namespace, name string) (path string, err error) {
	err = noPod(namespace, name)
	callErr := q.call(ctx, func() {
		for uid, p := range q.loop.pods {
			switch {
			case !is(p, namespace, name):
			case p.Record.Sandbox.Ready == nil:
				err = api.AsBadRequest(fmt.Errorf("pod %s/%s is not running", namespace, name))
			case p.Record.Object.Spec.HostNetwork:
				path, err = "", nil
				return
			default:
				path, err = filepath.Join(q.loop.paths.Namespaces(uid), "net"), nil
				return
			}
		}
	})
	return path, errors.Join(callErr, err)
}

// DeleteClaim removes what a claim holds, and returns when it is gone. One whose manifest stays is bound anew, to an empty folder.
func (q Requests) DeleteClaim(ctx context.Context, namespace, name string) (err error) {
	callErr := q.call(ctx, func() { err = q.loop.claims.Delete(q.loop.podVolumes.claimView(q.loop.now()), namespace, name) })
	if callErr != nil {
		return callErr
	}
	q.loop.disk.Wait()
	return err
}

// ClaimFolder is where a claim's data is; alone: no pod may use it.
func (q Requests) ClaimFolder(ctx context.Context, namespace, name string, alone bool) (a executor.ClaimFolder, err error) {
	callErr := q.call(ctx, func() {
		a, err = q.loop.claims.DataFolder(q.loop.podVolumes.claimView(q.loop.now()), namespace, name, alone)
	})
	if callErr != nil {
		return executor.ClaimFolder{}, callErr
	}
	return a, err
}

// OpenID is what a verifier of tokens needs: the document of discovery and the keys.
func (q Requests) OpenID(ctx context.Context) (discovery, keys []byte, err error) {
	if callErr := q.call(ctx, func() { discovery, keys, err = q.loop.accounts.OpenID() }); callErr != nil {
		return nil, nil, callErr
	}
	return discovery, keys, err
}

// workload runs fn in the loop and gives its error the code that the API has for it. What it has set is on disk when it returns.
func (q Requests) workload(ctx context.Context, o api.WorkloadName, fn func() error) (err error) {
	var status apierrors.APIStatus
	if callErr := q.call(ctx, func() { err = fn() }); callErr != nil {
		return callErr
	}
	switch {
	case err == nil:
		q.loop.disk.Wait()
		return nil
	case errors.Is(err, controller.ErrNotFound):
		return api.NoWorkload(o)
	case errors.As(err, &status):
		return err
	}
	return api.AsBadRequest(err)
}

func workloadKey(o api.WorkloadName) objects.Key {
	return objects.Key{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
}

// SetWorkload sets a field of a workload until its file changes that field.
func (q Requests) SetWorkload(ctx context.Context, o api.WorkloadName, c *api.WorkloadChange) error {
	return q.workload(ctx, o, func() error {
		key := workloadKey(o)
		if c.Version != "" && c.Version != q.loop.store.Version(key) {
			return api.Modified(o)
		}
		return q.loop.controllers.Set(key, c.Path, c.Value, c.DryRun)
	})
}

// RestartWorkload gives all pods of a workload successors.
func (q Requests) RestartWorkload(ctx context.Context, o api.WorkloadName, dryRun bool) error {
	return q.workload(ctx, o, func() error {
		return q.loop.controllers.Restart(workloadKey(o), q.loop.now(), dryRun)
	})
}

// UndoWorkload puts the template of an earlier revision of a workload back.
func (q Requests) UndoWorkload(ctx context.Context, o api.WorkloadName, to *api.WorkloadUndo) (said string, err error) {
	err = q.workload(ctx, o, func() (err error) {
		said, err = q.loop.controllers.Undo(workloadKey(o), controller.Revision{Number: to.Revision, Template: to.Template}, to.DryRun)
		return err
	})
	return said, err
}

// ErrNotFound says that there is no such pod or container.
var ErrNotFound = errors.New("not found")
