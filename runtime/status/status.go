// Package status builds what the API shows of a pod out of its record and of what is known of its board. It is pure.
package status

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/annotation"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// containerIDScheme stands before a container's ID in a status, as containerd:// does.
const containerIDScheme = "podd://"

// Facts are what a pod's status depends on beside its record.
type Facts struct {
	Now      state.Instant
	NodeName string
	HostIPs  []netip.Addr // of the board, by family
	QOSClass corev1.PodQOSClass
	Unfit    string // why the board is not for the pod, in the scheduler's words; "": it is
	// Plugged says of a unit of a resource that it is there; nil: all are.
	Plugged           func(resource, id string) bool
	Refused           *corev1.PodCondition // why the pod's manifest is not followed as it is now
	ShutDown          bool                 // the board ends its pods
	Late              bool                 // the pod came after that had begun
	RecursiveReadOnly bool                 // the kernel can mount whole trees read-only
}

// usersOf says whose users and groups the sandbox of a pod has that leaves that to the node, and why not its own.
func usersOf(rec *state.Record) string {
	switch s := &rec.Sandbox; {
	case rec.Object.Spec.HostUsers != nil || s.Ready == nil:
		return ""
	case s.OwnUsers:
		return "its own"
	case s.HostUsers != "":
		return "the machine's: " + s.HostUsers
	}
	return ""
}

// Build is the pod as the API shows it: the manifest's object with the status of now.
func Build(rec *state.Record, f Facts) *corev1.Pod {
	now := f.Now
	out := *rec.Object
	out.UID = rec.UID
	annotation.SetSource(&out.ObjectMeta, rec.File)
	if h := rec.Sandbox.Handler; h != nil {
		annotation.SetHandler(&out.ObjectMeta, h.Name)
	}
	if users := usersOf(rec); users != "" {
		annotation.SetUsers(&out.ObjectMeta, users)
	}
	out.CreationTimestamp = metav1.NewTime(rec.Created.WallAt(now))
	if rec.Stop != nil {
		grace := int64(rec.Stop.Grace / time.Second)
		deadline := metav1.NewTime(rec.Stop.Since.WallAt(now).Add(rec.Stop.Grace))
		out.DeletionTimestamp, out.DeletionGracePeriodSeconds = &deadline, &grace
	}
	out.Spec.NodeName = f.NodeName
	out.Generation = 1 + rec.Generation
	out.Spec.EphemeralContainers = rec.Ephemeral
	mains, inits, ephemerals := containerStatuses(rec, f)
	out.Status = corev1.PodStatus{
		ObservedGeneration:    out.Generation,
		QOSClass:              f.QOSClass,
		StartTime:             startTime(rec, now),
		ContainerStatuses:     mains,
		InitContainerStatuses: inits,

		EphemeralContainerStatuses: ephemerals,
	}
	out.Status.Phase = phase(rec, inits, mains)
	if end := rec.Finish; end != nil && out.Status.Phase == corev1.PodFailed {
		out.Status.Reason, out.Status.Message = end.Reason, end.Message
		if Rejected(end.Reason) { // as a kubelet's rejectPod: no container was ever meant to start
			out.Status.ContainerStatuses, out.Status.InitContainerStatuses = nil, nil
		}
	}
	if turnedAway(rec, f) {
		out.Status.Reason, out.Status.Message = reasonTurnedAway, turnedAwayMessage
		out.Status.ContainerStatuses, out.Status.InitContainerStatuses = nil, nil
	}
	if shutDown(rec, f) && out.Status.Phase != corev1.PodSucceeded && out.Status.Reason == "" {
		out.Status.Reason, out.Status.Message = reasonShutdown, shutdownMessage
	}
	if f.Unfit != "" {
		setUnscheduled(&out)
	} else {
		setAddresses(&out, rec, f.HostIPs)
	}
	setConditions(&out, rec, f)
	return &out
}

// shutDown says whether the pod ends, or has ended, with the board. One whose end has begun so goes on to say it when the
// board's end is cancelled.
func shutDown(rec *state.Record, f Facts) bool {
	return rec.Stop != nil && (f.ShutDown || rec.Stop.ShutDown)
}

// turnedAway says of a pod that it came while the board ended its pods, and was never begun.
func turnedAway(rec *state.Record, f Facts) bool {
	return f.Late && shutDown(rec, f) && !slices.ContainsFunc(rec.Containers, func(c *state.ContainerRecord) bool { return c.Attempt >= 0 })
}

// startTime is when the pod came onto the board.
func startTime(rec *state.Record, now state.Instant) *metav1.Time {
	at := metav1.NewTime(rec.Begun().WallAt(now))
	return &at
}

func setAddresses(out *corev1.Pod, rec *state.Record, ips []netip.Addr) {
	out.Status.HostIPs = HostIPs(ips)
	if len(ips) > 0 {
		out.Status.HostIP = ips[0].String()
	}
	switch {
	case rec.Sandbox.Ready == nil && !rec.Sandbox.Removed && rec.State != state.PodFinished:
	case rec.Object.Spec.HostNetwork:
		for _, ip := range out.Status.HostIPs {
			out.Status.PodIPs = append(out.Status.PodIPs, corev1.PodIP(ip))
		}
	default:
		out.Status.PodIPs = rec.Sandbox.PodIPs()
	}
	if len(out.Status.PodIPs) > 0 {
		out.Status.PodIP = out.Status.PodIPs[0].IP
	}
}

// containerStatuses lists the statuses of the main containers, those of the init containers and those of ephemeral ones.
func containerStatuses(rec *state.Record, f Facts) (mains, inits, ephemerals []corev1.ContainerStatus) {
	mains = make([]corev1.ContainerStatus, 0, len(rec.Object.Spec.Containers))
	for _, c := range rec.Containers {
		s := containerStatus(rec, rec.Spec(c.Name), c, f)
		switch c.Kind {
		case state.KindMain:
			mains = append(mains, s)
		case state.KindEphemeral:
			s.Ready = false // as with a kubelet
			ephemerals = append(ephemerals, s)
		case state.KindInit, state.KindSidecar:
			inits = append(inits, s)
		}
	}
	return mains, inits, ephemerals
}

// allocated tells which devices a container has, and whether they are plugged in. KEP-4680
func allocated(units map[string][]string, plugged func(resource, id string) bool) []corev1.ResourceStatus {
	var out []corev1.ResourceStatus
	for _, resource := range slices.Sorted(maps.Keys(units)) {
		s := corev1.ResourceStatus{Name: corev1.ResourceName(resource)}
		for _, id := range units[resource] {
			health := corev1.ResourceHealthStatusHealthy
			if plugged != nil && !plugged(resource, id) {
				health = corev1.ResourceHealthStatusUnhealthy
			}
			s.Resources = append(s.Resources, corev1.ResourceHealth{ResourceID: corev1.ResourceID(id), Health: health})
		}
		out = append(out, s)
	}
	return out
}

func containerStatus(rec *state.Record, spec *corev1.Container, c *state.ContainerRecord, f Facts) corev1.ContainerStatus {
	now := f.Now
	running, started := c.CountsAsRunning(), c.HasStarted(spec)
	attempt, image := c.ShownAttempt(), c.ShownImage(spec.Image)
	s := corev1.ContainerStatus{
		Name: c.Name, Image: image.Ref, ImageID: image.ID,
		RestartCount: int32(max(attempt-c.Base, 0)),
		Ready:        isReady(rec, c, spec),
		Started:      &started,
		State:        containerState(rec, c, now),
	}
	s.AllocatedResourcesStatus = allocated(rec.Devices[c.Name], f.Plugged)
	if attempt >= c.Base {
		s.ContainerID = containerIDScheme + state.ContainerID(rec.UID, c.Name, attempt)
	}
	last := c.Ended
	if s.State.Terminated != nil || s.State.Running != nil && c.State == state.ContainerExited {
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
	s.VolumeMounts = volumeMountStatuses(spec, f.RecursiveReadOnly)
	if running {
		s.AllocatedResources = spec.Resources.Requests
		s.Resources = &corev1.ResourceRequirements{Limits: spec.Resources.Limits, Requests: spec.Resources.Requests}
		if rec.Resize != nil {
			if was, ok := rec.Resize.Before[c.Name]; ok {
				s.Resources = &was
			}
		}
	}
	return s
}

func containerState(rec *state.Record, c *state.ContainerRecord, now state.Instant) corev1.ContainerState {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	restarts := func() bool { return plan.WillRestart(rec, c) }
	starts := func() bool { return c.State == state.ContainerStarting || c.State == state.ContainerPostStart }
	switch {
	case c.CountsAsRunning():
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.Started.WallAt(now))}}
	case c.Waiting != nil && (!ending(rec) || c.Ended == nil) && !c.CrashLoops(now):
		return waiting(c.Waiting.Reason, c.Waiting.Message)
	case (c.Ended == nil || c.State == state.ContainerWaiting) && waitsForVolume(rec, c) != nil:
		w := waitsForVolume(rec, c)
		return waiting(w.Reason, w.Message)
	case c.Ended == nil, (c.State == state.ContainerWaiting || c.Anew) && !ending(rec):
		return waiting(waitingReason(rec), cmp.Or(rec.Sandbox.Error, rec.Volumes.Error))
	case c.Done && c.Kind == state.KindInit, ending(rec), !c.WasDelayed(), !starts() && !restarts():
		return corev1.ContainerState{Terminated: terminated(c.Ended, now)}
	}
	return waiting("CrashLoopBackOff", backoffMessage(rec, c)) // until the next attempt is there
}

// waitsForVolume is why an image is lacking that a container has as a volume; nil: it has none that is.
func waitsForVolume(rec *state.Record, c *state.ContainerRecord) *state.Waiting {
	if rec.Volumes.Ready || len(rec.Volumes.Pulls) == 0 {
		return nil
	}
	spec := rec.Spec(c.Name)
	for i := range spec.VolumeMounts {
		if pull := rec.Volumes.Pulls[spec.VolumeMounts[i].Name]; pull != nil && pull.Waiting != nil {
			return pull.Waiting
		}
	}
	return nil
}

// waitingReason is that of a container whose turn has not come.
func waitingReason(rec *state.Record) string {
	if len(rec.Object.Spec.InitContainers) > 0 {
		return "PodInitializing"
	}
	return "ContainerCreating"
}

// ready says whether a container is ready: an init container when it has succeeded, any other while it runs. In a pod
// that is being removed that is until it has ended: its Services may have nobody else. KEP-1669
func isReady(rec *state.Record, c *state.ContainerRecord, spec *corev1.Container) bool {
	if c.Kind == state.KindInit {
		return c.Done
	}
	return rec.Serves(c) && c.IsReady(spec)
}

func ending(rec *state.Record) bool { return rec.Ending() != nil || rec.State == state.PodFinished }

// WithTimeLeft says how long each back-off still lasts, at the moment of asking: what was published cannot.
func WithTimeLeft(p *corev1.Pod, ends map[string]state.BootTime, now state.BootTime) *corev1.Pod {
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

// BackoffEnds are the ends of the back-offs that a pod's containers are in, since boot.
func BackoffEnds(rec *state.Record, now state.BootTime) map[string]state.BootTime {
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
		ExitCode: int32(t.Code), Reason: t.Reason, Message: t.Message, // the exit code carries the signal, as a kubelet's does
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

// RecursiveReadOnly is what a mount's recursiveReadOnly comes to on this kernel.
func RecursiveReadOnly(m *corev1.VolumeMount, able bool) corev1.RecursiveReadOnlyMode {
	switch {
	case m.RecursiveReadOnly == nil || *m.RecursiveReadOnly == corev1.RecursiveReadOnlyDisabled:
		return corev1.RecursiveReadOnlyDisabled
	case *m.RecursiveReadOnly == corev1.RecursiveReadOnlyIfPossible && !able:
		return corev1.RecursiveReadOnlyDisabled
	}
	return corev1.RecursiveReadOnlyEnabled
}

// volumeMountStatuses say how the volumes of a container are mounted. KEP-3857
func volumeMountStatuses(spec *corev1.Container, able bool) []corev1.VolumeMountStatus {
	var list []corev1.VolumeMountStatus
	for i := range spec.VolumeMounts {
		m := &spec.VolumeMounts[i]
		s := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			mode := RecursiveReadOnly(m, able)
			s.RecursiveReadOnly = &mode
		}
		list = append(list, s)
	}
	return list
}

// HostIPs are the node's first addresses of each family, as the kubelet shows them: the list is sorted by
// family.
func HostIPs(ips []netip.Addr) []corev1.HostIP {
	var out []corev1.HostIP
	for i, ip := range ips {
		if i == 0 || ip.Is4() != ips[i-1].Is4() {
			out = append(out, corev1.HostIP{IP: ip.String()})
		}
	}
	return out
}

// setUnscheduled shows a pod which waits for a board that fits.
func setUnscheduled(out *corev1.Pod) {
	out.Spec.NodeName = ""
	out.Status = corev1.PodStatus{ObservedGeneration: out.Generation, QOSClass: out.Status.QOSClass, Phase: corev1.PodPending}
}
