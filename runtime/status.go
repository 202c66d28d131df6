package runtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/plan"
	"podd/runtime/state"
)

// containerIDScheme stands before a container's ID in a status, as containerd:// does.
const containerIDScheme = "podd://"

// buildPod is the pod as the API shows it: the manifest's object with the status of now.
func (r *Runtime) buildPod(p *pod, now state.Instant) *corev1.Pod {
	rec := p.rec
	out := *rec.Object
	out.UID = rec.UID
	out.CreationTimestamp = metav1.NewTime(rec.Created.WallAt(now))
	if rec.Stop != nil {
		grace := int64(rec.Stop.Grace / time.Second)
		deadline := metav1.NewTime(rec.Stop.Since.WallAt(now).Add(rec.Stop.Grace))
		out.DeletionTimestamp, out.DeletionGracePeriodSeconds = &deadline, &grace
	}
	out.Spec.NodeName = r.NodeName
	out.Generation = 1 + rec.Generation
	mains, inits := r.containerStatuses(p, now)
	out.Status = corev1.PodStatus{
		ObservedGeneration:    out.Generation,
		QOSClass:              qosClass(&rec.Object.Spec),
		StartTime:             &out.CreationTimestamp,
		ContainerStatuses:     mains,
		InitContainerStatuses: inits,
	}
	out.Status.Phase = phase(rec, inits, mains)
	if f := rec.Finish; f != nil && out.Status.Phase == corev1.PodFailed {
		out.Status.Reason, out.Status.Message = f.Reason, f.Message
	}
	if p.unfit {
		unscheduledStatus(&out)
	} else {
		r.setAddresses(&out, rec)
	}
	r.setConditions(&out, p, now)
	return &out
}

// hostAddresses keeps the board's addresses for a while: every published status shows them.
type hostAddresses struct {
	mu   sync.Mutex
	read state.BootTime // since boot
	ips  []netip.Addr
}

// forget says that the addresses may be others now.
func (h *hostAddresses) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ips = nil
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	now := state.Now().Mono
	if h.ips != nil && now < h.read.Add(fresh) {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}

func (r *Runtime) setAddresses(out *corev1.Pod, rec *state.Record) {
	ips := r.hostIPs.get(r.HostIPs)
	out.Status.HostIPs = onePerFamily(ips)
	if len(ips) > 0 {
		out.Status.HostIP = ips[0].String()
	}
	switch {
	case rec.Object.Spec.HostNetwork && rec.Sandbox.Ready != nil:
		for _, ip := range out.Status.HostIPs {
			out.Status.PodIPs = append(out.Status.PodIPs, corev1.PodIP(ip))
		}
	case rec.Sandbox.Ready != nil || rec.State == state.PodFinished:
		out.Status.PodIPs = rec.Sandbox.PodIPs()
	}
	if len(out.Status.PodIPs) > 0 {
		out.Status.PodIP = out.Status.PodIPs[0].IP
	}
}

// containerStatuses lists the statuses of the main containers and those of the init containers.
func (r *Runtime) containerStatuses(p *pod, now state.Instant) (mains, inits []corev1.ContainerStatus) {
	mains = make([]corev1.ContainerStatus, 0, len(p.rec.Object.Spec.Containers))
	for _, c := range p.rec.Containers {
		s := r.containerStatus(p, p.rec.Spec(c.Name), c, now)
		if c.Kind == state.KindMain {
			mains = append(mains, s)
		} else {
			inits = append(inits, s)
		}
	}
	return mains, inits
}

func (r *Runtime) containerStatus(p *pod, spec *corev1.Container, c *state.ContainerRecord, now state.Instant) corev1.ContainerStatus {
	running, started := c.CountsAsRunning(), c.HasStarted(spec)
	s := corev1.ContainerStatus{
		Name: c.Name, Image: spec.Image, ImageID: c.ImageID,
		RestartCount: int32(max(c.Attempt-c.Base, 0)),
		Ready:        p.ready(c, spec),
		Started:      &started,
		State:        r.containerState(p, c, now),
	}
	if c.Attempt >= c.Base {
		s.ContainerID = containerIDScheme + state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	}
	last := c.Ended
	if s.State.Terminated != nil || c.State == state.ContainerExited {
		last = c.Before
	}
	if last != nil {
		s.LastTerminationState.Terminated = terminated(last, now)
	}
	if running && c.StopSignal != "" {
		s.StopSignal = &c.StopSignal
	}
	if c.User != nil && running {
		s.User = &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: c.User.UID, GID: c.User.GID, SupplementalGroups: c.User.Groups}}
	}
	s.VolumeMounts = volumeMountStatuses(spec)
	if running {
		s.AllocatedResources = spec.Resources.Requests
		s.Resources = &corev1.ResourceRequirements{Limits: spec.Resources.Limits, Requests: spec.Resources.Requests}
		if p.rec.Resize != nil {
			if was, ok := p.rec.Resize.Before[c.Name]; ok {
				s.Resources = &was
			}
		}
	}
	return s
}

func (r *Runtime) containerState(p *pod, c *state.ContainerRecord, now state.Instant) corev1.ContainerState {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	restarts := func() bool { return p.willRestart(c) }
	switch {
	case c.CountsAsRunning():
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.Started.WallAt(now))}}
	case c.Waiting != nil && (!p.ending() || c.Ended == nil) && !c.CrashLoops(now):
		return waiting(c.Waiting.Reason, c.Waiting.Message)
	case c.Ended == nil, c.State == state.ContainerWaiting && !p.ending():
		return waiting(p.waitingReason(), cmp.Or(p.rec.Sandbox.Error, p.rec.Volumes.Error))
	case c.Done && c.Kind == state.KindInit, c.State == state.ContainerStarting, p.ending(), c.NotBefore <= now.Mono, !restarts():
		return corev1.ContainerState{Terminated: terminated(c.Ended, now)}
	}
	return waiting("CrashLoopBackOff", backoffMessage(p.rec, c))
}

// waitingReason is that of a container whose turn has not come.
func (p *pod) waitingReason() string {
	if len(p.rec.Object.Spec.InitContainers) > 0 {
		return "PodInitializing"
	}
	return "ContainerCreating"
}

// willRestart says whether a container that has ended is going to be started again.
func (p *pod) willRestart(c *state.ContainerRecord) bool {
	spec := p.rec.Spec(c.Name)
	v := plan.ContainerView{Kind: c.Kind, RestartPolicy: plan.OwnPolicy(spec), Changed: c.Changed, Failed: c.HasFailed()}
	if c.Ended != nil {
		v.Rule = plan.RestartRule(spec, c.Ended.Code)
	}
	return plan.Restarts(p.rec.Object.Spec.RestartPolicy, v)
}

// ready says whether a container is ready: an init container when it has succeeded, any other while it runs. In a pod
// that is being removed that is until it has ended: its Services may have nobody else. KEP-1669
func (p *pod) ready(c *state.ContainerRecord, spec *corev1.Container) bool {
	if c.Kind == state.KindInit {
		return c.Done
	}
	return p.serves(c) && c.IsReady(spec)
}

// serves says whether a container's readiness counts: not while it ends for any other reason than its pod's removal.
func (p *pod) serves(c *state.ContainerRecord) bool {
	switch c.State {
	case state.ContainerRunning:
		return p.rec.Stop != nil || p.rec.Finish == nil
	case state.ContainerPreStop, state.ContainerStopping:
		return p.rec.Stop != nil && !c.Unhealthy
	case state.ContainerWaiting, state.ContainerStarting, state.ContainerPostStart, state.ContainerExited, state.ContainerCollected:
	}
	return false
}

func (p *pod) ending() bool { return p.rec.Ending() != nil || p.rec.State == state.PodFinished }

// withTimeLeft says how long each back-off still lasts, at the moment of asking: what was published cannot.
func withTimeLeft(p *corev1.Pod, ends map[string]state.BootTime, now state.BootTime) *corev1.Pod {
	out := *p
	for _, list := range []*[]corev1.ContainerStatus{&out.Status.ContainerStatuses, &out.Status.InitContainerStatuses} {
		*list = slices.Clone(*list)
		for i := range *list {
			s := &(*list)[i]
			if end, ok := ends[s.Name]; ok && s.State.Waiting != nil && end > now {
				waiting := *s.State.Waiting
				waiting.Message += fmt.Sprintf(", %s left", end.Sub(now).Round(time.Second))
				s.State.Waiting = &waiting
			}
		}
	}
	return &out
}

// backoffs are the ends of the back-offs that a pod's containers are in, since boot.
func backoffs(rec *state.Record, now state.BootTime) map[string]state.BootTime {
	var ends map[string]state.BootTime
	for _, c := range rec.Containers {
		if c.State == state.ContainerCollected && c.NotBefore > now {
			if ends == nil {
				ends = map[string]state.BootTime{}
			}
			ends[c.Name] = c.NotBefore
		}
	}
	return ends
}

func backoffMessage(rec *state.Record, c *state.ContainerRecord) string {
	delay := c.NotBefore.Sub(c.Ended.Finished.Mono)
	return fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", delay.Round(time.Second), c.Name, rec.Object.Name, rec.Object.Namespace, rec.UID)
}

func terminated(t *state.Termination, now state.Instant) *corev1.ContainerStateTerminated {
	s := &corev1.ContainerStateTerminated{
		ExitCode: int32(t.Code), Signal: int32(t.Signal), Reason: t.Reason, Message: t.Message,
		FinishedAt:  metav1.NewTime(t.Finished.WallAt(now)),
		ContainerID: containerIDScheme + t.ID,
	}
	// One that never started has the beginning of time, as CRI runtimes have it.
	s.StartedAt = metav1.NewTime(time.Unix(0, 0))
	if !t.Started.Wall.IsZero() {
		s.StartedAt = metav1.NewTime(t.Started.WallAt(now))
	}
	return s
}
