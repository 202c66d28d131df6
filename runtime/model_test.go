package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/cgroups"
	"podd/images"
	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/container/spec"
	"podd/runtime/executor"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/plan"
	"podd/runtime/sandbox/mcs"
	"podd/runtime/sandbox/userns"
	"podd/runtime/service"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// The model: a board in memory on which a real loop runs. What outlives a daemon (processes, remains, the folder of
// manifests, images, the clock, files of state) is the world's; a daemon may die between any two messages.

// fakeProcess is one attempt of a container, and its remains once it has ended.
type fakeProcess struct {
	pid         int
	alive       bool
	code        int
	term        bool // it was asked to end and does so when it likes
	knownByFind bool // libcontainer's state is there
}

type world struct {
	t         testing.TB
	dir       string
	now       state.Instant
	processes map[string]*fakeProcess // by ID
	nextPID   int
	desired   map[string]*corev1.Pod // by name
	problems  []manifest.Problem
	workloads map[string]string // manifests of other objects, by file
	versions  int
	images    map[string]bool
	failNext  bool // the next action of an operation fails

	d *daemon // nil while none lives
	// seen over all daemons
	phases       map[types.UID]corev1.PodPhase
	restarts     map[string]int32                 // by UID and container
	exits        map[string]int                   // exit codes by ID, of processes that the world has ended
	filed        map[string]int                   // exit codes by ID, as records have them
	made         map[string]string                // names of images by ID, of attempts that became containers
	shown        map[string]corev1.ContainerState // by UID and container, as published last
	ips          map[types.UID]string
	terminations map[string]bool // IDs that were shown as terminated
}

// daemon is one life of podd, and the in-memory kernel as it knows it.
type daemon struct {
	w       *world
	r       *Runtime
	pending []*pendingOp
	pulls   []*pendingPull
	watched map[string]func() // by ID
	seen    map[types.UID]*lifecycle.Pod
}

type pendingOp struct {
	p      *lifecycle.Pod
	op     *executor.Operation
	next   int
	failed bool
}

// pendingPull is a pull that has not come out.
type pendingPull struct {
	ctx  context.Context
	r    imagepull.Request
	done func(imagepull.Result)
}

func newWorld(t testing.TB, dir string) *world {
	return &world{
		t: t, dir: dir, now: state.Instant{Wall: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Mono: state.BootTime(time.Minute)},
		processes: map[string]*fakeProcess{}, nextPID: 100, desired: map[string]*corev1.Pod{}, images: map[string]bool{"app": true, "app2": true},
		phases: map[types.UID]corev1.PodPhase{}, restarts: map[string]int32{}, exits: map[string]int{}, filed: map[string]int{},
		made: map[string]string{}, shown: map[string]corev1.ContainerState{}, ips: map[types.UID]string{}, terminations: map[string]bool{},
	}
}

func (w *world) start() error {
	d := &daemon{w: w, watched: map[string]func(){}, seen: map[types.UID]*lifecycle.Pod{}}
	r, err := New(Config{
		RunDir: filepath.Join(w.dir, "run"), RootDir: filepath.Join(w.dir, "root"), LogDir: filepath.Join(w.dir, "logs"),
		Log: slog.New(slog.DiscardHandler), NodeName: "board", ClusterDomain: "cluster.local",
		ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")},
		Folder:       w, Images: w, Puller: w, Network: nothing{}, Cgroups: nothing{}, Users: nothing{}, Levels: mcs.NewLeases(filepath.Join(w.dir, "run", "levels"), nil), Names: nothing{}, Forwarder: forwarder{},
		HealthPorts: func([]service.HealthPort) {}, HostIPs: func() ([]netip.Addr, error) { return nil, nil },
		ResolvConf: func() string { return "" }, Events: nothing{},
	})
	if err != nil {
		return err
	}
	d.r, w.d = r, d
	r.kernel, r.lifecycle.Kernel, r.remains.Kernel, r.now = d, d, d, func() state.Instant { return w.now }
	if err := r.adopter.adopt(w.now); err != nil {
		return err
	}
	r.inbox.put(msgManifests{})
	return w.settle()
}

// die ends the daemon between two messages: nothing of it is left but what is on disk and what runs.
func (w *world) die() {
	_ = w.d.r.io.Reactor.Close()
	w.d.r.devices.close()
	w.d.r.disk.Wait()
	for _, p := range w.d.r.pods {
		for _, c := range p.Record.Containers {
			p.Probes.EndHook(c.Name)
		}
	}
	w.d = nil
}

// settle lets the loop take in all that was said, and checks the board after each of its steps.
func (w *world) settle() error {
	r := w.d.r
	for range 1000 {
		r.step()
		r.disk.Wait()
		r.network.forwarding.Wait()
		if (podLoop{r}).leaves() {
			return errors.New("the loop ends, and nobody has told it to")
		}
		if err := w.check(); err != nil {
			return err
		}
		if r.scan.running {
			<-r.inbox.ring
			continue
		}
		select {
		case <-r.inbox.ring:
		default:
			if len(r.dirty) == 0 {
				return nil
			}
		}
	}
	return errors.New("the loop does not come to rest")
}

// The daemon's kernel.

func (d *daemon) prepare() error { return d.r.folders.Ensure() }

func (d *daemon) run(p *lifecycle.Pod, op *executor.Operation) {
	d.pending = append(d.pending, &pendingOp{p: p, op: op})
}

func (d *daemon) pull(ctx context.Context, r imagepull.Request, done func(imagepull.Result)) {
	d.pulls = append(d.pulls, &pendingPull{ctx, r, done})
}

// Pull is what the kernel is asked for here.
func (w *world) Pull(context.Context, imagepull.Request) imagepull.Result { panic("not asked") }

func (w *world) Allows(string, string, imagepull.Keys) bool { return true }

func (w *world) CanPull() bool { return true }

func (w *world) Passes(string, string) bool { return true }

func (w *world) Brought(string) bool { return false }

// finishPull lets a pull come out: well, or not, or without an answer of the registry.
func (d *daemon) finishPull(i, how int) {
	p := d.pulls[i]
	d.pulls = slices.Delete(d.pulls, i, i+1)
	switch {
	case p.ctx.Err() != nil:
		p.done(imagepull.Result{Reason: state.ReasonImagePull, Message: "given up"})
	case how%4 == 1:
		p.done(imagepull.Result{Reason: state.ReasonImagePull, Message: "manifest at model: not found"})
	case how%4 == 2 && p.r.Present:
		p.done(imagepull.Result{Present: "nobody answers"})
	case how%4 == 2:
		p.done(imagepull.Result{Reason: state.ReasonRegistry, Message: "nobody answers"})
	default:
		d.w.images[p.r.Image] = true
		p.done(imagepull.Result{Image: images.Image{ID: "sha256:app"}})
	}
}

func (d *daemon) execConfig(*state.Record, *state.ContainerRecord) (*spec.Config, error) {
	return &spec.Config{}, nil
}
func (d *daemon) AdoptLeases(rec *state.Record) error { return d.r.sandboxes.AdoptLeases(rec) }
func (d *daemon) receive()                            {}
func (d *daemon) Adopt(id string, _ stdio.Log) (executor.ContainerIO, bool, error) {
	return &modelIO{d, id}, true, nil
}
func (d *daemon) AdoptUnlogged(id string) executor.ContainerIO { return &modelIO{d, id} }
func (d *daemon) dropUnclaimed(func(string) bool)              {}
func (d *daemon) awaitExits([]int)                             {}
func (d *daemon) Layers(string) []string                       { return nil }
func (d *daemon) CgroupLost(string) (string, error)            { return "", nil }
func (d *daemon) RemoveSandbox(types.UID) error                { return nil }
func (d *daemon) UnmapAll() error                              { return nil }
func (d *daemon) Attempts() (ids []string, err error) {
	for id := range d.w.processes {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids, nil
}

func (d *daemon) Find(id string) (*container.Found, error) {
	p := d.w.processes[id]
	if p == nil || !p.knownByFind {
		return nil, nil
	}
	f := &container.Found{PID: p.pid, StartTime: uint64(p.pid), Started: true}
	if p.alive {
		var err error
		if f.PIDFD, err = os.Open(os.DevNull); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (d *daemon) Discard(id string) error {
	delete(d.w.processes, id)
	return nil
}

// modelIO is an attempt as one daemon knows it.
type modelIO struct {
	d  *daemon
	id string
}

func (m *modelIO) process() *fakeProcess { return m.d.w.processes[m.id] }
func (m *modelIO) Signal(s unix.Signal) error {
	if p := m.process(); p != nil && p.alive {
		p.term = true
		if s == unix.SIGKILL {
			m.d.w.exit(m.id, 137)
		}
	}
	return nil
}
func (m *modelIO) Finish() error { return nil }
func (m *modelIO) AdoptProcess(int, uint64) (bool, error) {
	p := m.process()
	return p != nil && p.alive, nil
}
func (m *modelIO) WatchExit(exited func()) error { m.d.watched[m.id] = exited; return nil }
func (m *modelIO) Watched() bool                 { return m.d.watched[m.id] != nil }
func (m *modelIO) Ended() bool                   { p := m.process(); return p == nil || !p.alive }
func (m *modelIO) Done() <-chan struct{}         { return nil }
func (m *modelIO) Attach(context.Context, stdio.Attachment) error {
	return errors.New("nobody attaches to a model")
}

func (m *modelIO) ExitStatus(int, uint64) (process.ExitStatus, error) {
	if p := m.process(); p != nil && !p.alive {
		return process.ExitStatus{Code: p.code}, nil
	}
	return process.ExitStatus{}, process.ErrStatusUnknown
}

// The world's moves.

func (w *world) exit(id string, code int) {
	p := w.processes[id]
	if p == nil || !p.alive {
		return
	}
	p.alive, p.code = false, code
	w.exits[id] = code
	if w.d != nil && w.d.watched[id] != nil {
		w.d.watched[id]()
	}
}

// advance carries out one action of a pending operation.
func (d *daemon) advance(i int) {
	o := d.pending[i]
	if o.next == len(o.op.Actions) {
		d.pending = slices.Delete(d.pending, i, i+1)
		d.r.inbox.put(msgIdle{o.p})
		return
	}
	a := o.op.Actions[o.next]
	o.next++
	if o.failed && !plan.Cleans(a) {
		d.r.inbox.put(msgOutcome{o.p, executor.OutcomeOf(a, executor.ErrSkipped)})
		return
	}
	out := d.perform(o, a)
	if out.Failure() != nil && !plan.StandsAlone(a) {
		o.failed = true
	}
	d.r.inbox.put(msgOutcome{o.p, out})
}

func (d *daemon) perform(o *pendingOp, a plan.Action) executor.Outcome {
	var result executor.Result
	if d.w.failNext {
		d.w.failNext, result.Err = false, errors.New("a fault of the model")
	}
	uid := o.op.Record.UID
	switch a := a.(type) {
	case plan.EnsureSandbox:
		result.Err = cmp.Or(result.Err, o.op.Inputs.Sandbox.NoHandler)
		if result.Err == nil {
			return executor.SandboxEnsured{EnsureSandbox: a, Sandbox: state.SandboxRecord{IP: "10.0.0.1", CgroupPath: "/" + string(uid), Handler: o.op.Inputs.Sandbox.Handler}}
		}
		return executor.SandboxEnsured{EnsureSandbox: a, Result: result}
	case plan.StartContainer:
		if _, ok := o.op.Inputs.Images[a.Name]; !ok {
			result.Err = spec.ErrConfig
		}
		if result.Err != nil {
			return executor.ContainerStarted{StartContainer: a, Result: result}
		}
		id := state.ContainerID(uid, a.Name, a.Attempt)
		if p := d.w.processes[id]; p != nil && p.alive {
			d.w.t.Errorf("attempt %s is started twice", id)
		}
		d.w.nextPID++
		d.w.processes[id] = &fakeProcess{pid: d.w.nextPID, alive: true, knownByFind: true}
		d.w.made[id] = o.op.Record.Spec(a.Name).Image
		delete(d.watched, id)
		return executor.ContainerStarted{
			StartContainer: a, IO: &modelIO{d, id}, ImageID: "sha256:app", ImageRef: o.op.Record.Spec(a.Name).Image, Object: o.op.Record.Object,
			Process: &container.Process{PID: d.w.nextPID, StartTime: uint64(d.w.nextPID)},
		}
	case plan.StopContainer:
		if l := o.op.IO[a.Name]; l != nil && result.Err == nil {
			result.Err = l.Signal(unix.SIGTERM)
		}
		return executor.ContainerStopped{StopContainer: a, Result: result, Signal: unix.SIGTERM}
	case plan.KillContainer:
		if l := o.op.IO[a.Name]; l != nil && result.Err == nil {
			result.Err = l.Signal(unix.SIGKILL)
		}
		return executor.ContainerKilled{KillContainer: a, Result: result}
	case plan.CollectContainer:
		if result.Err == nil {
			delete(d.w.processes, state.ContainerID(uid, a.Name, a.Attempt))
		}
		return executor.ContainerCollected{CollectContainer: a, Result: result}
	}
	return executor.OutcomeOf(a, result.Err)
}

// Scan is the folder of manifests.
func (w *world) Scan(now time.Time) manifest.Set {
	var set manifest.Set
	for name, pod := range w.desired {
		set.Pods = append(set.Pods, manifest.Pod{Object: pod, File: name + ".yaml", Hash: string(pod.UID), Since: now})
	}
	set.Problems = w.problems
	slices.SortFunc(set.Pods, func(a, b manifest.Pod) int { return strings.Compare(a.File, b.File) })
	for file, text := range w.workloads {
		objects, problems := manifest.Parse(file, []byte(text))
		if len(problems) > 0 {
			w.t.Error(problems)
		}
		set.Objects = append(set.Objects, objects...)
	}
	return set
}

func (w *world) Unanswered() manifest.Problem { return manifest.Problem{} }

// Get is the store of images.
func (w *world) Get(ref string) (images.Image, error) {
	if ref == "sha256:app" || w.images[ref] {
		return images.Image{ID: "sha256:app"}, nil
	}
	return images.Image{}, images.ErrNotFound
}

// check holds what must be true after every step of the loop.
func (w *world) check() error {
	d := w.d
	for i, o := range d.pending {
		for _, other := range d.pending[:i] {
			if other.p == o.p {
				return fmt.Errorf("two operations for pod %s at once", o.p.Record.UID)
			}
		}
	}
	for uid, p := range d.r.pods {
		for target, pull := range p.Pulls {
			waiting := 0
			for _, pending := range d.pulls {
				if pending.ctx.Err() == nil && pending.r.Image == pull.Image {
					waiting++
				}
			}
			if waiting == 0 && !slices.ContainsFunc(d.r.inbox.queue, func(m message) bool { _, ok := m.(msgPulled); return ok }) {
				return fmt.Errorf("pod %s waits for a pull of %v that nobody makes", uid, target)
			}
		}
	}
	explained := map[string]bool{}
	for uid, p := range d.r.pods {
		for _, c := range p.Record.Containers {
			id := state.ContainerID(uid, c.Name, c.Attempt)
			if c.State != state.ContainerWaiting {
				explained[id] = true
			}
			for _, t := range []*state.Termination{c.Ended, c.Before} {
				if t == nil || t.Reason == "StartError" {
					continue
				}
				if code, known := w.exits[t.ID]; known && code != t.Code {
					return fmt.Errorf("attempt %s ended with %d and its record says %d", t.ID, code, t.Code)
				}
				w.filed[t.ID] = t.Code
			}
		}
	}
	for _, o := range d.pending { // an operation that starts something is recorded, or is about to be
		for _, a := range o.op.Actions {
			if s, ok := a.(plan.StartContainer); ok {
				explained[state.ContainerID(o.op.Record.UID, s.Name, s.Attempt)] = true
			}
		}
	}
	for id, p := range w.processes {
		uid, _, _, _ := state.ParseContainerID(id)
		if p.alive && !explained[id] && !d.r.orphans.Has(uid) {
			return fmt.Errorf("no record explains %s, which runs", id)
		}
	}
	return w.checkStatuses()
}

func (w *world) checkStatuses() error {
	pods, _ := w.d.r.store.Pods()
	if err := w.checkNames(pods); err != nil {
		return err
	}
	for uid, before := range w.d.seen {
		if before != w.d.r.pods[uid] {
			// It is gone. One of the same UID that begins anew, because it was deleted by hand or a shutdown was cancelled, is
			// another pod.
			delete(w.d.seen, uid)
			delete(w.phases, uid)
			delete(w.ips, uid)
			for _, c := range before.Record.Containers {
				delete(w.restarts, string(uid)+"/"+c.Name)
				delete(w.shown, string(uid)+"/"+c.Name)
			}
		}
	}
	maps.Copy(w.d.seen, w.d.r.pods)
	for _, pod := range pods {
		if w.d.r.held.gone[pod.UID] != nil && w.d.r.pods[pod.UID] == nil {
			if pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded {
				return fmt.Errorf("pod %s has ended with the board and is %s", pod.UID, pod.Status.Phase)
			}
			continue
		}
		was := w.phases[pod.UID]
		w.phases[pod.UID] = pod.Status.Phase
		if (was == corev1.PodSucceeded || was == corev1.PodFailed) && pod.Status.Phase != was {
			return fmt.Errorf("pod %s went from phase %s to %s", pod.UID, was, pod.Status.Phase)
		}
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			states := 0
			for _, is := range []bool{s.State.Waiting != nil, s.State.Running != nil, s.State.Terminated != nil} {
				if is {
					states++
				}
			}
			if states != 1 {
				return fmt.Errorf("container %s of pod %s is in %d states", s.Name, pod.UID, states)
			}
			key := string(pod.UID) + "/" + s.Name
			if s.RestartCount < w.restarts[key] {
				return fmt.Errorf("container %s of pod %s has %d restarts after %d", s.Name, pod.UID, s.RestartCount, w.restarts[key])
			}
			w.restarts[key] = s.RestartCount
			if err := w.checkMoment(pod, &s, w.shown[key]); err != nil {
				return fmt.Errorf("container %s of pod %s: %w: %+v", s.Name, pod.UID, err, s)
			}
			w.shown[key] = s.State
		}
		if was := w.ips[pod.UID]; was != "" && pod.Status.PodIP != was {
			return fmt.Errorf("pod %s had the address %s and has %q", pod.UID, was, pod.Status.PodIP)
		}
		w.ips[pod.UID] = pod.Status.PodIP
	}
	return nil
}

// checkMoment says whether a container's status tells of one attempt and of nothing but that and the one before it.
func (w *world) checkMoment(pod *corev1.Pod, s *corev1.ContainerStatus, was corev1.ContainerState) error {
	id := strings.TrimPrefix(s.ContainerID, "podd://")
	is, last := s.State, s.LastTerminationState.Terminated
	if id == "" {
		if s.RestartCount != 0 || s.ImageID != "" || last != nil || is.Waiting == nil {
			return errors.New("it tells of a container that never was")
		}
		return nil
	}
	if _, _, attempt, _ := state.ParseContainerID(id); s.RestartCount > int32(attempt) {
		return fmt.Errorf("it was restarted more often than %s says", id)
	}
	if ref, ok := w.made[id]; ok && (s.Image != ref || s.ImageID != "sha256:app") {
		return fmt.Errorf("%s runs %s", id, ref)
	}
	switch {
	case is.Terminated != nil && is.Terminated.ContainerID != s.ContainerID:
		return errors.New("the end is of another attempt")
	case is.Waiting != nil && (last == nil || last.ContainerID != s.ContainerID):
		return errors.New("it waits, and the last end is of another attempt")
	case is.Waiting == nil && last != nil && last.ContainerID == s.ContainerID:
		return errors.New("the last end is of the attempt itself")
	case s.Ready && is.Running == nil && is.Terminated == nil, s.Started != nil && *s.Started && is.Running == nil:
		return errors.New("it is ready or started without running")
	case is.Terminated != nil && was.Waiting != nil && pod.DeletionTimestamp == nil &&
		w.terminations[id] && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		return errors.New("it waited already after that end")
	}
	w.terminations[id] = w.terminations[id] || is.Terminated != nil
	return nil
}

// rest brings the board to rest: everything that is begun is done, and every wait is over. What must be true then is
// checked.
func (w *world) rest() error {
	if w.d == nil {
		if err := w.start(); err != nil {
			return err
		}
	}
	w.failNext, w.images["app"] = false, true
	w.d.r.inbox.put(msgImages{})
	podLoop{w.d.r}.cancelStop(w.now)
	for round := 0; ; round++ {
		if round == 3000 {
			return fmt.Errorf("the board does not come to rest: %d operations, processes %v", len(w.d.pending), w.processes)
		}
		if err := w.settle(); err != nil {
			return err
		}
		if len(w.d.pending) > 0 {
			w.d.advance(0)
			continue
		}
		if len(w.d.pulls) > 0 {
			w.d.finishPull(0, 0)
			continue
		}
		if ended := w.endAsked(); ended {
			continue
		}
		if w.resting() {
			break
		}
		w.now.Mono, w.now.Wall = w.now.Mono.Add(time.Minute), w.now.Wall.Add(time.Minute)
	}
	for id, p := range w.processes {
		uid, _, _, _ := state.ParseContainerID(id)
		if p.alive && !w.wants(uid) {
			return fmt.Errorf("%s runs and no manifest speaks of its pod", id)
		}
	}
	for id, code := range w.exits {
		uid, _, _, _ := state.ParseContainerID(id)
		if filed, ok := w.filed[id]; w.d.r.pods[uid] != nil && (!ok || filed != code) {
			return fmt.Errorf("the exit code %d of %s is lost: %d, %t", code, id, filed, ok)
		}
	}
	return nil
}

// endAsked lets a process end that was asked to.
func (w *world) endAsked() bool {
	for _, id := range w.ids(func(p *fakeProcess) bool { return p.alive && p.term }) {
		w.exit(id, 143)
		return true
	}
	return false
}

// wants says that a pod is the one of a manifest: also under the UID of an earlier one that it was changed from.
func (w *world) wants(uid types.UID) bool {
	for _, m := range w.d.r.desired {
		if m.Object.UID == uid {
			return true
		}
	}
	return false
}

// resting says that each pod that is wanted, and no other, is as its manifest says.
func (w *world) resting() bool {
	for uid := range w.d.r.pods {
		if !w.wants(uid) {
			return false
		}
	}
	if len(w.d.r.desired) != len(w.desired)+len(w.d.r.made) {
		return false
	}
	for _, m := range w.d.r.desired {
		p := w.d.r.pods[m.Object.UID]
		if p == nil {
			return false
		}
		if p.Record.State == state.PodFinished || p.Unfit != "" {
			continue
		}
		for _, c := range p.Record.Containers {
			if c.Kind != state.KindInit && c.State != state.ContainerRunning && (c.State != state.ContainerCollected || plan.WillRestart(p.Record, c)) {
				return false
			}
			if c.Kind == state.KindInit && !c.Done {
				if process := w.processes[state.ContainerID(p.Record.UID, c.Name, c.Attempt)]; process != nil && process.alive {
					w.exit(state.ContainerID(p.Record.UID, c.Name, c.Attempt), 0)
				}
				return false
			}
		}
	}
	return true
}

func (w *world) ids(which func(*fakeProcess) bool) (ids []string) {
	for id, p := range w.processes {
		if which(p) {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}

// A move is one thing that happens; its numbers choose among what there is at that moment, so that any part of a sequence
// of moves is a sequence too.
type move struct {
	kind string
	n, m int
}

func (m move) String() string { return fmt.Sprintf("%s(%d,%d)", m.kind, m.n, m.m) }

var moveKinds = []string{"advance", "advance", "advance", "advance", "advance", "edit", "remove", "exit", "exit", "end", "end", "time", "die", "image", "fault", "delete", "dieMid", "pull", "pull", "shutdown", "cancel"}

func (w *world) do(m move) error {
	if w.d == nil {
		if err := w.start(); err != nil {
			return err
		}
	}
	r := w.d.r
	switch m.kind {
	case "advance":
		if n := len(w.d.pending); n > 0 {
			w.d.advance(m.n % n)
		}
	case "edit":
		w.versions++
		name := fmt.Sprint("pod", m.n%3)
		w.desired[name] = modelPod(name, w.versions, m.m)
		r.inbox.put(msgManifests{})
	case "remove":
		delete(w.desired, fmt.Sprint("pod", m.n%3))
		r.inbox.put(msgManifests{})
	case "exit":
		if ids := w.ids(func(p *fakeProcess) bool { return p.alive }); len(ids) > 0 {
			w.exit(ids[m.n%len(ids)], m.m%2)
		}
	case "end":
		if ids := w.ids(func(p *fakeProcess) bool { return p.alive && p.term }); len(ids) > 0 {
			w.exit(ids[m.n%len(ids)], 143)
		}
	case "time":
		d := time.Duration(1+m.n%40) * time.Second
		w.now.Mono, w.now.Wall = w.now.Mono.Add(d), w.now.Wall.Add(d)
	case "image":
		w.images["app"] = !w.images["app"]
		r.inbox.put(msgImages{})
	case "pull":
		if n := len(w.d.pulls); n > 0 {
			w.d.finishPull(m.n%n, m.m)
		}
	case "fault":
		w.failNext = true
	case "delete":
		for uid, p := range r.pods {
			if p.Record.Object.Name == fmt.Sprint("pod", m.n%3) {
				p.Deleted = true
				r.mark(uid)
			}
		}
	case "shutdown":
		podLoop{r}.holdStop(make(chan struct{}), w.now)
	case "cancel":
		podLoop{r}.cancelStop(w.now)
	case "die", "dieMid":
		// dieMid: what the operation did last is not known to the daemon that dies.
		if m.kind == "dieMid" && len(w.d.pending) > 0 {
			w.d.advance(m.n % len(w.d.pending))
		}
		w.die()
		return nil
	}
	return w.settle()
}

// modelPod is a pod of one of several shapes. Most versions replace the one before, one in four says the same.
func modelPod(name string, version, shape int) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID = name, "default", types.UID(fmt.Sprintf("%s-v%d", name, version))
	grace := int64(shape % 7)
	pod.Spec = corev1.PodSpec{
		RestartPolicy:                 []corev1.RestartPolicy{corev1.RestartPolicyAlways, corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure}[shape%3],
		TerminationGracePeriodSeconds: &grace,
		Containers:                    []corev1.Container{{Name: "main", Image: "app"}},
	}
	if version%4 != 0 {
		pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "VERSION", Value: fmt.Sprint(version)}}
	}
	if shape%2 == 1 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "second", Image: "app"})
	}
	if version%5 == 0 {
		pod.Spec.Containers[0].Image = "app2"
	}
	if version%3 == 0 {
		pod.Spec.Containers[0].ImagePullPolicy = corev1.PullAlways
	}
	if shape%4 == 3 {
		pod.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{1}},
		}}
	}
	always := corev1.ContainerRestartPolicyAlways
	switch shape % 5 {
	case 1:
		pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "app"}}
	case 2:
		pod.Spec.InitContainers = []corev1.Container{{Name: "side", Image: "app", RestartPolicy: &always}}
	case 3:
		pod.Spec.InitContainers = []corev1.Container{{Name: "side", Image: "app", RestartPolicy: &always}, {Name: "init", Image: "app"}}
	}
	return pod
}

func play(t testing.TB, moves []move) (err error) {
	dir, err := os.MkdirTemp("", "podd-model-")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir)
	defer func() {
		if w.d != nil {
			w.die()
		}
		_ = os.RemoveAll(dir)
	}()
	for i, m := range moves {
		if err := w.do(m); err != nil {
			return fmt.Errorf("at move %d, %s: %w", i, m, err)
		}
	}
	if err := w.rest(); err != nil {
		return fmt.Errorf("at rest: %w", err)
	}
	return nil
}

// shrink leaves out moves as long as the sequence fails without them.
func shrink(t testing.TB, moves []move) []move {
	for size := len(moves) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(moves); {
			shorter := slices.Concat(moves[:at], moves[at+size:])
			if play(t, shorter) != nil {
				moves = shorter
			} else {
				at += size
			}
		}
	}
	return moves
}

// TestLoopAgainstTheModel plays random sequences of edits, exits, faults, passing time and deaths of the daemon at any
// message, and holds after every step: at most one operation a pod, every process is explained by a record, statuses are
// legal and go forward only; and at rest: no container of a removed pod runs, and no exit code is lost. With
// PODD_MODEL_SEQUENCES more of them are played.
func TestLoopAgainstTheModel(t *testing.T) {
	sequences, length := 60, 120
	if n, err := strconv.Atoi(os.Getenv("PODD_MODEL_SEQUENCES")); err == nil {
		sequences = n
	}
	for n := range sequences {
		seed := uint64(n)
		rng := rand.New(rand.NewPCG(seed, 7))
		moves := []move{{"edit", 0, rng.IntN(30)}, {"edit", 1, rng.IntN(30)}}
		for range length {
			moves = append(moves, move{moveKinds[rng.IntN(len(moveKinds))], rng.IntN(100), rng.IntN(30)})
		}
		if err := play(t, moves); err != nil {
			moves = shrink(t, moves)
			t.Fatalf("seed %d: %v\nthe shortest sequence: %v\nfails with: %v", seed, err, moves, play(t, moves))
		}
	}
}

// TestRestartAllAgainstTheModel is the same for a pod whose rule lets all of its containers begin anew.
func TestRestartAllAgainstTheModel(t *testing.T) {
	kinds := []string{"advance", "advance", "advance", "advance", "exit", "time"}
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 9))
		moves := []move{{"edit", 0, 3}}
		for range 120 {
			moves = append(moves, move{kinds[rng.IntN(len(kinds))], rng.IntN(100), rng.IntN(30)})
		}
		if err := play(t, moves); err != nil {
			moves = shrink(t, moves)
			t.Fatalf("seed %d: %v\nthe shortest sequence: %v\nfails with: %v", seed, err, moves, play(t, moves))
		}
	}
}

// nothing is a board's part that does nothing.
type nothing struct{}

func (nothing) Attach(netns.Pod) (netns.Attachment, error)                       { return netns.Attachment{}, nil }
func (nothing) Restore([]netns.Pod) (map[string]error, error)                    { return nil, nil }
func (nothing) Overlap() error                                                   { return nil }
func (nothing) SetPolicies(netns.PolicyTable) error                              { return nil }
func (nothing) Detach(string) error                                              { return nil }
func (nothing) Collect(map[string]bool) error                                    { return nil }
func (nothing) EnsurePod(string, string, cgroups.Resources) (string, error)      { return "", nil }
func (nothing) PodPath(string, string) (string, error)                           { return "", nil }
func (nothing) RemovePod(string) error                                           { return nil }
func (nothing) SetTierShares(string, uint64) error                               { return nil }
func (nothing) Warm()                                                            {}
func (nothing) Version() int                                                     { return 2 }
func (nothing) Controllers() []string                                            { return nil }
func (nothing) OOMKills(string) (uint64, error)                                  { return 0, nil }
func (nothing) OnRemoval(func(string)) error                                     { return nil }
func (nothing) WatchPod(string) error                                            { return nil }
func (nothing) Resize(string, cgroups.Resources) error                           { return nil }
func (nothing) Acquire(string) (userns.Range, error)                             { return userns.Range{}, nil }
func (nothing) Claim(string, userns.Range) error                                 { return nil }
func (nothing) Lookup(string) (userns.Range, bool)                               { return userns.Range{}, false }
func (nothing) Release(string) error                                             { return nil }
func (nothing) Addrs() []netip.Addr                                              { return nil }
func (nothing) SetServers([]netip.AddrPort)                                      {}
func (nothing) SetZone(*dns.Zone)                                                {}
func (nothing) Record(time.Time, corev1.ObjectReference, string, string, string) {}

type forwarder struct{}

func (forwarder) Apply(netns.ServiceTable) error                { return nil }
func (forwarder) InUse(netip.Addr, netns.Protocol, uint16) bool { return false }
func (forwarder) Overlaps() []netip.Prefix                      { return nil }
