package runtime

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// containerIDScheme stands before a container's ID in a status, as containerd:// does.
const containerIDScheme = "podd://"

// buildPod is the pod as the API shows it: the manifest's object with the status of now.
func (r *Runtime) buildPod(p *pod, now Instant) *corev1.Pod {
	rec := p.rec
	out := *rec.Object
	out.UID = rec.UID
	out.CreationTimestamp = metav1.NewTime(rec.Created.shown(now))
	if rec.Stop != nil {
		grace := int64(rec.Stop.Grace / time.Second)
		deadline := metav1.NewTime(rec.Stop.Since.shown(now).Add(rec.Stop.Grace))
		out.DeletionTimestamp, out.DeletionGracePeriodSeconds = &deadline, &grace
	}
	out.Spec.NodeName = r.NodeName
	out.Status = corev1.PodStatus{
		Phase:             phase(rec),
		QOSClass:          qosClass(&rec.Object.Spec),
		StartTime:         &out.CreationTimestamp,
		ContainerStatuses: r.containerStatuses(p, now),
	}
	r.setAddresses(&out, rec)
	r.setConditions(&out, p, now)
	return &out
}

// hostAddresses keeps the board's addresses for a while: every published status shows them.
type hostAddresses struct {
	read time.Duration // since boot
	ips  []netip.Addr
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	now := readClock().Mono
	if h.ips != nil && now < h.read+fresh {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}

func (r *Runtime) setAddresses(out *corev1.Pod, rec *Record) {
	ips := r.hostIPs.get(r.HostIPs)
	for _, ip := range ips {
		out.Status.HostIPs = append(out.Status.HostIPs, corev1.HostIP{IP: ip.String()})
	}
	if len(ips) > 0 {
		out.Status.HostIP = ips[0].String()
	}
	switch {
	case rec.Object.Spec.HostNetwork && rec.Sandbox.Ready != nil:
		out.Status.PodIP = out.Status.HostIP
	case rec.Sandbox.Ready != nil || rec.State == PodFinished:
		out.Status.PodIP = rec.Sandbox.IP
	}
	if out.Status.PodIP != "" {
		out.Status.PodIPs = []corev1.PodIP{{IP: out.Status.PodIP}}
	}
}

// phase sums a pod up as the kubelet does.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
func phase(rec *Record) corev1.PodPhase {
	waiting, running, succeeded, failed := 0, 0, 0, 0
	for _, c := range rec.Containers {
		switch {
		case c.shownRunning():
			running++
		case c.State == ContainerWaiting || c.State == ContainerStarting && c.Ended == nil:
			waiting++
		case c.Ended == nil:
			waiting++
		case c.State == ContainerStarting:
			running++
		case c.Ended.Code == 0:
			succeeded++
		default:
			failed++
		}
	}
	policy := rec.Object.Spec.RestartPolicy
	switch {
	case waiting > 0:
		return corev1.PodPending
	case running > 0:
		return corev1.PodRunning
	case policy == corev1.RestartPolicyAlways && rec.State != PodFinished && rec.Stop == nil:
		return corev1.PodRunning
	case failed == 0:
		return corev1.PodSucceeded
	case policy == corev1.RestartPolicyNever || rec.Stop != nil:
		return corev1.PodFailed
	}
	return corev1.PodRunning
}

func (r *Runtime) containerStatuses(p *pod, now Instant) []corev1.ContainerStatus {
	list := make([]corev1.ContainerStatus, 0, len(p.rec.Containers))
	for i, c := range p.rec.Containers {
		list = append(list, r.containerStatus(p, &p.rec.Object.Spec.Containers[i], c, now))
	}
	return list
}

func (r *Runtime) containerStatus(p *pod, spec *corev1.Container, c *ContainerRecord, now Instant) corev1.ContainerStatus {
	running := c.shownRunning()
	started := running && c.startedUp(spec)
	s := corev1.ContainerStatus{
		Name: c.Name, Image: spec.Image, ImageID: c.ImageID,
		RestartCount: int32(max(c.Attempt-c.Base, 0)),
		Ready:        c.State == ContainerRunning && p.rec.Stop == nil && c.ready(spec),
		Started:      &started,
		State:        r.containerState(p, c, now),
	}
	if c.Attempt >= c.Base {
		s.ContainerID = containerIDScheme + containerID(p.rec.UID, c.Name, c.Attempt)
	}
	last := c.Ended
	if s.State.Terminated != nil || c.State == ContainerExited {
		last = c.Before
	}
	if last != nil {
		s.LastTerminationState.Terminated = terminated(last, now)
	}
	if c.User != nil && running {
		s.User = &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: c.User.UID, GID: c.User.GID, SupplementalGroups: c.User.Groups}}
	}
	if running {
		s.AllocatedResources = spec.Resources.Requests
		s.Resources = &corev1.ResourceRequirements{Limits: spec.Resources.Limits, Requests: spec.Resources.Requests}
	}
	return s
}

func (r *Runtime) containerState(p *pod, c *ContainerRecord, now Instant) corev1.ContainerState {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	switch {
	case c.shownRunning():
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.Started.shown(now))}}
	case c.Waiting != nil && (!p.ending() || c.Ended == nil) && !c.crashLoops(now):
		return waiting(c.Waiting.Reason, c.Waiting.Message)
	case c.Ended == nil:
		return waiting("ContainerCreating", p.rec.Sandbox.Error)
	case c.State == ContainerStarting || p.ending() || c.NotBefore <= now.Mono || !restarts(p.rec.Object.Spec.RestartPolicy, ContainerView{Failed: c.Ended.Code != 0}):
		return corev1.ContainerState{Terminated: terminated(c.Ended, now)}
	}
	return waiting("CrashLoopBackOff", backoffMessage(p.rec, c))
}

// shownRunning says whether a container counts as running. One that has just ended does so until its remains
// are collected, because its termination message is known only then.
func (c *ContainerRecord) shownRunning() bool {
	return c.Started != nil && (c.State.alive() || c.State == ContainerExited)
}

// crashLoops says that a command that could not be started waits for its next try: the kubelet shows that as a
// crash loop, and why it could not be started as the last termination.
func (c *ContainerRecord) crashLoops(now Instant) bool {
	return c.Ended != nil && c.Waiting.Reason == "RunContainerError" && c.State == ContainerCollected && c.NotBefore > now.Mono
}

func (p *pod) ending() bool { return p.rec.Stop != nil || p.rec.State == PodFinished }

// withTimeLeft says how long each back-off still lasts, at the moment of asking: what was published cannot.
func withTimeLeft(p *corev1.Pod, ends map[string]time.Duration, now time.Duration) *corev1.Pod {
	out := *p
	out.Status.ContainerStatuses = slices.Clone(p.Status.ContainerStatuses)
	for i := range out.Status.ContainerStatuses {
		s := &out.Status.ContainerStatuses[i]
		if end, ok := ends[s.Name]; ok && s.State.Waiting != nil && end > now {
			waiting := *s.State.Waiting
			waiting.Message += fmt.Sprintf(", %s left", (end - now).Round(time.Second))
			s.State.Waiting = &waiting
		}
	}
	return &out
}

// backoffs are the ends of the back-offs that a pod's containers are in, since boot.
func backoffs(rec *Record, now time.Duration) map[string]time.Duration {
	var ends map[string]time.Duration
	for _, c := range rec.Containers {
		if c.State == ContainerCollected && c.NotBefore > now {
			if ends == nil {
				ends = map[string]time.Duration{}
			}
			ends[c.Name] = c.NotBefore
		}
	}
	return ends
}

func backoffMessage(rec *Record, c *ContainerRecord) string {
	delay := c.NotBefore - c.Ended.Finished.Mono
	return fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", delay.Round(time.Second), c.Name, rec.Object.Name, rec.Object.Namespace, rec.UID)
}

func terminated(t *Termination, now Instant) *corev1.ContainerStateTerminated {
	s := &corev1.ContainerStateTerminated{
		ExitCode: int32(t.Code), Signal: int32(t.Signal), Reason: t.Reason, Message: t.Message,
		FinishedAt:  metav1.NewTime(t.Finished.shown(now)),
		ContainerID: containerIDScheme + t.ID,
	}
	// One that never started has the beginning of time, as CRI runtimes have it.
	s.StartedAt = metav1.NewTime(time.Unix(0, 0))
	if !t.Started.Wall.IsZero() {
		s.StartedAt = metav1.NewTime(t.Started.shown(now))
	}
	return s
}
