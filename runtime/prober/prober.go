// Package prober makes the probes of containers and runs their hooks. It answers with News and HookEnded; what follows from
// them is decided by the loop.
package prober

import (
	"log/slog"
	goruntime "runtime"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/probe"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/state"
)

// Prober has what the probes of all pods share.
type Prober struct {
	Paths  state.Paths
	Engine *container.Engine
	// ExecConfig is the configuration that the current attempt of a container was started with, for commands.
	ExecConfig func(*state.Record, *state.ContainerRecord) (*spec.Config, error)
	// News and HookEnded are called from any goroutine, and must not wait.
	News      func(News)
	HookEnded func(HookEnded)
	Log       *slog.Logger

	scheduler probe.Scheduler
	execSlots chan struct{} // bounds the commands of probes that are being started at once
	host      atomic.Pointer[string]
}

// New makes a Prober of p's exported fields.
func New(p *Prober) *Prober {
	p.execSlots = make(chan struct{}, goruntime.NumCPU())
	return p
}

// Pod is what of one pod is probed and which of its hooks run. It belongs to the loop; the zero Pod has none.
type Pod struct {
	probes map[string]*containerProbes
	hooks  map[string]*hookRun
}

// containerProbes is one attempt of a container that is probed. Its fields are not changed, but for handles, which is
// the loop's.
type containerProbes struct {
	prober  *Prober
	uid     types.UID
	spec    *corev1.Container
	attempt int
	target  target
	config  *spec.Config // for commands
	handles [len(Kinds)]*probe.Handle
}

// worker is one probe of a container.
type worker struct {
	*containerProbes
	kind Kind
}

// News is what a probe has found, when it differs from what it found before.
type News struct {
	UID    types.UID
	Name   string // the container's
	Kind   Kind
	Report probe.Report
	from   *containerProbes
}

// Report hands the news of a probe on.
func (w worker) Report(report probe.Report) {
	w.prober.News(News{w.uid, w.spec.Name, w.kind, report, w.containerProbes})
}

// wants says whether a container is to be probed now: while it runs and nobody is ending it, the startup probe
// first and the others after it. Readiness is of interest until the container is gone, its preStop hook included, whatever
// it ends for.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
func wants(rec *state.Record, c *state.ContainerRecord, k Kind) bool {
	spec := rec.Spec(c.Name)
	if k == Readiness {
		return k.Of(spec) != nil && rec.Serves(c) && c.StartedUp(spec)
	}
	if k.Of(spec) == nil || c.State != state.ContainerRunning || rec.Ending() != nil || c.Unhealthy || c.EndReason != "" {
		return false
	}
	return c.StartedUp(spec) == (k != Startup)
}

// IsCurrent says of news that they are about the attempt that runs now, and that its probe is still wanted.
func (p *Pod) IsCurrent(rec *state.Record, n News) bool {
	return n.from != nil && p.probes[n.Name] == n.from && wants(rec, rec.Container(n.Name), n.Kind)
}

// Sync brings the schedule into line with a pod's record.
func (pr *Prober) Sync(p *Pod, rec *state.Record, now state.Instant) {
	for _, c := range rec.Containers {
		spec := rec.Spec(c.Name)
		on := p.probes[c.Name]
		if on != nil && on.attempt != c.Attempt {
			for i := range Kinds {
				pr.stop(on, i)
			}
			delete(p.probes, c.Name)
			on = nil
		}
		for i, k := range Kinds {
			if !wants(rec, c, k) {
				pr.stop(on, i)
				continue
			}
			if on == nil {
				on = pr.begin(p, rec, c, spec)
			}
			if on.handles[i] == nil {
				on.handles[i] = pr.scheduler.Add(worker{on, k}, probePlan(rec, c, spec, k, now))
			}
		}
		if on != nil && on.handles == [len(Kinds)]*probe.Handle{} {
			delete(p.probes, c.Name)
		}
	}
}

// stop ends a probe of a container, if it is made.
func (pr *Prober) stop(on *containerProbes, kind int) {
	if on != nil && on.handles[kind] != nil {
		pr.scheduler.Stop(on.handles[kind])
		on.handles[kind] = nil
	}
}

func (pr *Prober) begin(p *Pod, rec *state.Record, c *state.ContainerRecord, spec *corev1.Container) *containerProbes {
	on := &containerProbes{prober: pr, uid: rec.UID, spec: spec, attempt: c.Attempt, target: pr.target(rec, spec)}
	if hasExecProbe(spec) {
		config, err := pr.ExecConfig(rec, c)
		if err != nil {
			pr.Log.Error("cannot prepare the commands of probes", "pod", rec.Name(), "container", c.Name, "error", err)
		}
		on.config = config
	}
	if p.probes == nil {
		p.probes = map[string]*containerProbes{}
	}
	p.probes[c.Name] = on
	return on
}

// EndOldCommands ends the commands of probes that an earlier daemon has left in a container.
func (pr *Prober) EndOldCommands(rec *state.Record, c *state.ContainerRecord) {
	if !hasExecProbe(rec.Spec(c.Name)) {
		return
	}
	if err := pr.Engine.KillProbes(state.ContainerID(rec.UID, c.Name, c.Attempt)); err != nil {
		pr.Log.Warn("the probes of an earlier podd may go on in a container", "pod", rec.Name(), "container", c.Name, "error", err)
	}
}

func hasExecProbe(spec *corev1.Container) bool {
	for _, k := range Kinds {
		if s := k.Of(spec); s != nil && s.Exec != nil {
			return true
		}
	}
	return false
}

// probePlan is when and how often; the initial delay counts from the start of the container.
func probePlan(rec *state.Record, c *state.ContainerRecord, spec *corev1.Container, k Kind, now state.Instant) probe.Plan {
	s := k.Of(spec)
	plan := probe.Plan{
		First:      max(c.Started.After(seconds(s.InitialDelaySeconds)).Sub(now.Mono), 0),
		Period:     seconds(s.PeriodSeconds),
		Timeout:    seconds(s.TimeoutSeconds),
		Thresholds: Thresholds(s),
		Spread:     probe.SpreadOf(string(rec.UID) + c.Name),
	}
	if c.ProbeRuns != nil {
		plan.Run = RunOf(k.RunIn(c.ProbeRuns))
	}
	return plan
}

// Thresholds are those of a probe.
func Thresholds(s *corev1.Probe) probe.Thresholds {
	return probe.Thresholds{Success: int(s.SuccessThreshold), Failure: int(s.FailureThreshold)}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// Scheduled are the kinds of probes of a container that are made now.
func (p *Pod) Scheduled(name string) (kinds []Kind) {
	if on := p.probes[name]; on != nil {
		for i, h := range on.handles {
			if h != nil {
				kinds = append(kinds, Kinds[i])
			}
		}
	}
	return kinds
}

// NewsOf is what a probe of a container would say that has found r.
func (p *Pod) NewsOf(name string, k Kind, r probe.Report) News {
	n := News{Name: name, Kind: k, Report: r, from: p.probes[name]}
	if n.from != nil {
		n.UID = n.from.uid
	}
	return n
}
