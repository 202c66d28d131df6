package runtime

import (
	"context"
	"fmt"
	"time"

	"podd/runtime/folders"
	"podd/runtime/lifecycle"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// Run adopts what an earlier daemon left and serves until ctx ends, which leaves every pod running, or until
// StopAll has ended them all.
func (r *Runtime) Run(ctx context.Context, ready func()) error {
	reactorEnd := make(chan error, 1)
	go func() { reactorEnd <- r.io.Reactor.Run() }()
	defer func() { _ = r.io.Reactor.Close() }()
	defer r.devices.close()
	if err := r.adopter.adopt(r.now()); err != nil {
		return err
	}
	r.inbox.put(msgManifests{})
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		r.step()
		r.rest()
		if r.scan.seen {
			ready()
		}
		if (podLoop{r}).leaves() {
			r.disk.Wait()
			r.network.forwarding.Wait()
			return r.volumes.Close()
		}
		r.arm(timer)
		select {
		case <-r.inbox.ring:
		case <-timer.C:
		case err := <-reactorEnd:
			return fmt.Errorf("the reactor has ended: %w", err)
		case <-ctx.Done():
			r.settle()
			return nil
		}
	}
}

// idleAfter is how long nothing must have happened for the runtime to count as idle.
const idleAfter = 2 * time.Second

// rest says once after each burst of work that it is over.
func (r *Runtime) rest() {
	now := r.now().Mono
	switch {
	case r.worked:
		if r.idle && r.Active != nil {
			r.Active()
		}
		r.worked, r.idle, r.idleAt = false, false, now.Add(idleAfter)
	case r.idleAt != 0 && now >= r.idleAt:
		r.idle, r.idleAt = true, 0
		if r.Idle != nil {
			r.Idle()
		}
	}
}

// settle waits for the operations in flight, so that the next daemon finds whole steps.
func (r *Runtime) settle() {
	r.stopping = true // no new operation
	for r.anyBusy() {
		<-r.inbox.ring
		for _, m := range r.inbox.take() {
			r.receive(m, r.now())
		}
	}
	for _, p := range r.pods {
		r.write(p)
	}
	r.disk.Wait()
}

// Empty says that no pod is left. It is to be asked after Run has returned.
func (r *Runtime) Empty() bool { return len(r.pods) == 0 }

// step takes in what was said and decides anew for every pod that it concerns.
func (r *Runtime) step() {
	now := r.now()
	for _, m := range r.inbox.take() {
		if _, beat := m.(msgBeat); !beat {
			r.worked = true
		}
		r.receive(m, now)
	}
	if at := r.storage.RetryAt(); at != 0 && now.Mono >= at {
		r.storage.Try()
	}
	if r.recheck != 0 && now.Mono >= r.recheck {
		r.scan.begin(now)
	}
	r.scan.check(now)
	if !r.scan.seen && !r.stopping {
		r.saveAll()
		return // to a loop that knows of no manifest all pods are unwanted
	}
	for uid, p := range r.pods {
		if !p.Busy && p.Wake != 0 && now.Mono >= p.Wake {
			r.dirty[uid] = true
		}
	}
	podLoop{r}.advanceStop(now)
	if r.reattach {
		r.attachProblems(now)
	}
	r.network.syncPolicies(now)
	r.network.syncServices(now) // whoever starts now finds Services of now
	// What is decided for pods may concern controllers, and what those do concerns pods.
	for r.scheduling.syncAll(now); len(r.dirty) > 0; r.scheduling.syncAll(now) {
		for uid := range r.dirty {
			delete(r.dirty, uid)
			if p := r.pods[uid]; p != nil {
				r.decide(p, now)
			}
		}
		podLoop{r}.advanceStop(now) // the last pod of a priority may have gone
	}
	r.network.syncServices(now)
	r.saveAll()
}

func (r *Runtime) receive(m message, now state.Instant) {
	switch m := m.(type) {
	case msgManifests:
		r.scan.begin(now)
	case msgScanned:
		r.scan.take(m.set, now)
	case msgRescan:
		r.scan.next = append(r.scan.next, m.done)
		r.scan.begin(now)
		if r.scan.hangs {
			release(&r.scan.next)
		}
	case msgSettings:
		r.Settings, r.reschedule = m.settings, true
		r.devices.use(r.Settings.Devices)
		r.controllers.NodeChanged()
		r.admission.retryHandlers("")
	case msgResolver:
		r.resolver.readResolver()
	case msgPolicy:
		r.imagePulls.retryJudged()
	case msgImages:
		r.markAwaiting()
	case msgImporting:
		r.importing = m.now
		r.markAwaiting()
	case msgPulled:
		if r.pods[m.pod.Record.UID] == m.pod && m.pod.Pulls[m.target] == m.pull {
			r.lifecycle.HandlePulled(m.pod, m.target, m.out, now)
			if m.out.Reason == state.ReasonClock {
				r.accounts.WatchClock()
			}
		}
	case msgExit:
		if p := r.pods[m.uid]; p != nil {
			r.lifecycle.CheckExit(p, m.name, now)
		}
	case msgCgroup:
		r.cgroupRemoved(m.path, now)
	case msgSuspect:
		r.storage.Suspect(m.err)
	case msgStorage:
		switch r.storage.Take(m.problems, now) {
		case folders.Mended:
			r.retryAll()
		case folders.Cleared:
			r.StorageMended()
		}
	case msgOutcome:
		if r.pods[m.pod.Record.UID] == m.pod {
			r.lifecycle.HandleOutcome(m.pod, m.outcome, now)
		}
	case msgMoved:
		r.network.showAddresses(now)
		r.ReportNetwork("addresses", r.Network.Overlap())
		r.services.MarkChanged() // a load balancer has the board's addresses
	case msgForwarded:
		r.network.applyDrains(m.table, now)
	case msgKept:
		m.pod.Record.Kept = true
		if r.pods[m.pod.Record.UID] == m.pod {
			r.save(m.pod)
			r.publish(m.pod, now)
		}
	case msgHook:
		if p := r.pods[m.UID]; p != nil {
			r.lifecycle.HandleHookEnded(p, m.HookEnded, now)
		}
	case msgProbe:
		if p := r.pods[m.UID]; p != nil {
			r.lifecycle.HandleProbe(p, m.News, now)
		}
	case msgIdle:
		// A pod that was forgotten and has come back is another one, though of the same UID.
		if r.pods[m.pod.Record.UID] == m.pod {
			m.pod.Busy = false
			r.dirty[m.pod.Record.UID] = true
		}
	case msgDevices:
		r.devices.take(m, now)
	case msgClock:
		r.clockSet()
		r.controllers.ClockSet()
	case msgCall:
		m.fn()
		close(m.done)
	case msgBeat:
		close(m.done)
	case msgStopAll:
		r.held.leave = true
		podLoop{r}.beginStop(now)
	}
}

// arm sets the timer to the earliest moment anybody waits for, or leaves it off.
func (r *Runtime) arm(timer *time.Timer) {
	next := r.recheck
	if at := r.scan.began.Add(scanPatience); r.scan.running && !r.scan.hangs && (next == 0 || at < next) {
		next = at
	}
	if at := r.policies.RetryAt(); at != 0 && (next == 0 || at < next) {
		next = at
	}
	if at := r.storage.RetryAt(); at != 0 && (next == 0 || at < next) {
		next = at
	}
	if at := r.services.RecheckAt(); at != 0 && (next == 0 || at < next) {
		next = at
	}
	if at := r.controllers.WakeAt(r.now()); at != 0 && !r.stopping && (next == 0 || at < next) {
		next = at
	}
	if at := r.stages.WakeAt(); r.stopping && at != 0 && (next == 0 || at < next) {
		next = at
	}
	if r.idleAt != 0 && (next == 0 || r.idleAt < next) {
		next = r.idleAt
	}
	for _, p := range r.pods {
		// One that is busy is looked at when its operation is over.
		if !p.Busy && p.Wake != 0 && (next == 0 || p.Wake < next) {
			next = p.Wake
		}
	}
	if next == 0 {
		timer.Stop()
		return
	}
	timer.Reset(max(next.Sub(r.now().Mono), 0))
}

// decide plans for one pod and starts the operation that the plan asks for.
func (r *Runtime) decide(p *lifecycle.Pod, now state.Instant) {
	if p.Busy {
		return
	}
	if now.Mono < p.Retry {
		p.Wake = p.Retry
		r.publish(p, now)
		return
	}
	p.CancelPulls()
	r.scheduling.checkNodeFit(p, now)
	r.admission.admitPod(p, now)
	renew := r.renewTokens(p, now)
	view := plan.ViewOf(p.Record, r.factsOf(p))
	decision := plan.Compute(view, now.Mono)
	if by := r.checkProgressDeadline(p, view.Blocked, now); by != 0 {
		decision.WakeAt(by)
	}
	if renew != 0 {
		decision.WakeAt(renew)
	}
	p.Wake = decision.Wake
	if len(decision.Actions) == 0 {
		r.publish(p, now)
		return
	}
	r.Log.Debug("plan", "pod", p.Name(), "uid", p.Record.UID, "actions", fmt.Sprint(decision.Actions))
	if err := r.lifecycle.RecordIntent(p, decision.Actions, now); err != nil {
		r.Log.Error("cannot follow the plan", "pod", p.Name(), "error", err)
		return
	}
	p.Busy = true
	op := r.inputs.operation(p, decision.Actions, r.stopping, now)
	// Before the operation: a daemon that finds this record after a crash must know what was begun.
	delete(r.unsaved, p.Record.UID)
	r.write(p)
	r.publish(p, now)
	r.kernel.run(p, op)
}

// factsOf is what the planner is told of a pod beside its record.
func (r *Runtime) factsOf(p *lifecycle.Pod) plan.Facts {
	measureAt, measure := p.Usage.Next(p.Record)
	wanted := r.wanted(p)
	return plan.Facts{
		Wanted: wanted, DrainedAt: r.network.drainedAt(p, wanted, r.now()), Blocked: p.Record.State == state.PodWaiting && r.blocked(p), Unfit: p.Unfit != "", Importing: r.importing,
		KeepEnd: r.stopping && !p.Deleted, StopGrace: r.stopGrace(p),
		Refresh: p.Refresh, Measure: measure, MeasureAt: measureAt,
		HookRuns:     p.Probes.HookRuns,
		Image:        func(name string) plan.Image { return r.imagePulls.imageNeed(p, name) },
		VolumeImages: r.imagePulls.volumeImages(p),
	}
}

// retryAll goes on with all that waits: podd can write again where it could not.
func (r *Runtime) retryAll() {
	for uid, p := range r.pods {
		r.save(p) // what could not be written
		p.RetryNow()
		r.mark(uid)
	}
	r.StorageMended()
}
