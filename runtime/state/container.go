package state

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ContainerKind is the part that a container plays in its pod.
type ContainerKind string

// The kinds of containers.
const (
	KindMain    ContainerKind = ""
	KindInit    ContainerKind = "init"    // runs to its end before the next one starts
	KindSidecar ContainerKind = "sidecar" // an init container that stays. KEP-753
	// KindEphemeral is one that was added to the pod while it was there. It is started once. KEP-277
	KindEphemeral ContainerKind = "ephemeral"
)

// KindOf tells sidecars among init containers. KEP-753
func KindOf(c *corev1.Container) ContainerKind {
	if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
		return KindSidecar
	}
	return KindInit
}

// ContainerRecord is one container of a pod, over all its attempts.
type ContainerRecord struct {
	Name    string         `json:"name"`
	Kind    ContainerKind  `json:"kind,omitempty"`
	State   ContainerState `json:"state"`
	Attempt int            `json:"attempt"`           // of the current or the last try, from 0; -1 before the first
	Base    int            `json:"base,omitempty"`    // the first attempt of this pod; those before it were another's
	ImageID string         `json:"imageID,omitempty"` // of the current or the last try
	// Image is of the last try that became a container, ImageBefore of the one before; nil: there was none.
	Image       *ImageRecord  `json:"image,omitempty"`
	ImageBefore *ImageRecord  `json:"imageBefore,omitempty"`
	Layers      []string      `json:"layers,omitempty"` // of that image, as folders of the store: they stay while the record does
	PID         int           `json:"pid,omitempty"`
	PIDStart    uint64        `json:"pidStart,omitempty"`
	StopSignal  corev1.Signal `json:"stopSignal,omitempty"` // that the attempt will be asked to end with
	Started     *Instant      `json:"started,omitempty"`
	Done        bool          `json:"done,omitempty"`      // an init container has succeeded, a sidecar has been started
	Hooked      bool          `json:"hooked,omitempty"`    // the hook of the state PostStart or PreStop is over
	Changed     bool          `json:"changed,omitempty"`   // its definition is another since it was started
	EndReason   string        `json:"endReason,omitempty"` // why it alone is to end; empty: it is not
	StopBy      BootTime      `json:"stopBy,omitempty"`    // the end of its grace, once it is to end
	KillAt      BootTime      `json:"killAt,omitempty"`    // set while Stopping
	Void        bool          `json:"void,omitempty"`      // this attempt never became a container and does not count
	Anew        bool          `json:"anew,omitempty"`      // all containers of the pod begin anew, and this one has not yet
	Killed      bool          `json:"killed,omitempty"`    // SIGKILL was sent
	Reported    bool          `json:"reported,omitempty"`  // it has ended, and all is known of that
	Backoff     time.Duration `json:"backoff,omitempty"`   // the delay before the next restart
	NotBefore   BootTime      `json:"notBefore,omitempty"` // the earliest next start
	Waiting     *Waiting      `json:"waiting,omitempty"`
	Pull        *PullRecord   `json:"pull,omitempty"`  // of its image; nil: it was never pulled for this container
	Ended       *Termination  `json:"ended,omitempty"` // of the last attempt that ended
	Before      *Termination  `json:"before,omitempty"`
	User        *UserRecord   `json:"user,omitempty"`
	// What the probes have found of this attempt; beginStart forgets it. See startedUp and ready.
	StartedOK      bool          `json:"startedOK,omitempty"`      // the startup probe has succeeded
	Ready          bool          `json:"ready,omitempty"`          // the readiness probe succeeds
	Unhealthy      bool          `json:"unhealthy,omitempty"`      // the liveness or the startup probe has failed for good
	UnhealthyGrace time.Duration `json:"unhealthyGrace,omitempty"` // what an unhealthy one has to end in; the probe's or the pod's
	ProbeRuns      *ProbeRuns    `json:"probeRuns,omitempty"`
}

// Waiting says why a container does not run.
type Waiting struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Termination is how one attempt ended.
type Termination struct {
	ID       string  `json:"id"`
	Code     int     `json:"code"`
	Signal   int     `json:"signal,omitempty"`
	Reason   string  `json:"reason"`
	Message  string  `json:"message,omitempty"`
	Started  Instant `json:"started"`
	Finished Instant `json:"finished"`
}

// ImageRecord is what an attempt was made of.
type ImageRecord struct {
	Ref string `json:"ref"` // as the manifest named it then
	ID  string `json:"id"`
}

// UserRecord is whom the container's process was started as.
type UserRecord struct {
	UID    int64   `json:"uid"`
	GID    int64   `json:"gid"`
	Groups []int64 `json:"groups,omitempty"`
}

// ProbeRun is how often the same result of a probe came in a row, as far as it matters. The zero ProbeRun is before the
// first result.
type ProbeRun struct {
	Result string `json:"result,omitempty"` // Success or Failure
	Count  int    `json:"count,omitempty"`  // up to the threshold of the result
}

// ProbeRuns is how often each probe of a container has had the same result of late.
type ProbeRuns struct {
	Startup   ProbeRun `json:"startup,omitzero"`
	Liveness  ProbeRun `json:"liveness,omitzero"`
	Readiness ProbeRun `json:"readiness,omitzero"`
}

// ContainerID names an attempt in libcontainer's state, in the cgroup tree and in the folders. A container's
// name has no dot, so the parts can be told apart again.
func ContainerID(uid types.UID, name string, attempt int) string {
	return fmt.Sprintf("%s.%s.%d", uid, name, attempt)
}

// ParseContainerID takes a ContainerID apart; ok is false for what is none, such as the ID of a pause container.
func ParseContainerID(id string) (uid types.UID, name string, attempt int, ok bool) {
	rest, number, ok := cutLast(id)
	if !ok {
		return "", "", 0, false
	}
	owner, name, ok := cutLast(rest)
	attempt, err := strconv.Atoi(number)
	return types.UID(owner), name, attempt, ok && err == nil && attempt >= 0 && owner != ""
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// Move takes an event into the state of the container. It is the only way for the state to change.
func (c *ContainerRecord) Move(e ContainerEvent) error {
	next, err := c.State.transition(e)
	if err == nil {
		c.State = next
	}
	return err
}

// Uncount takes back an attempt that never became a container.
func (c *ContainerRecord) Uncount() {
	c.Void = false
	c.Attempt--
	if c.Ended == nil {
		c.State = ContainerWaiting // no attempt of this pod has run yet
	}
}

// NextAttempt is the number of the attempt to come: that of one that never became a container is used again.
func (c *ContainerRecord) NextAttempt() int {
	if c.Void {
		return c.Attempt
	}
	return c.Attempt + 1
}

// MarkChanged lets a container start anew with another definition. An init container that has succeeded has nothing
// to do with it any more.
func (c *ContainerRecord) MarkChanged(reason string) {
	if c.Kind == KindInit && c.Done {
		return
	}
	// It has not crashed with this definition.
	c.Backoff, c.NotBefore = 0, 0
	if c.State.Alive() || c.State == ContainerStarting {
		c.Changed, c.EndReason = true, reason
	}
	if c.Waiting != nil && IsImageReason(c.Waiting.Reason) {
		c.Waiting, c.Pull = nil, nil
	}
}

// WasPulledFor says that an attempt's image was pulled for it.
func (c *ContainerRecord) WasPulledFor(attempt int) bool {
	return c.Pull != nil && c.Pull.Done && c.Pull.For == attempt
}

// resetProbes begins a new attempt: a container that starts has no results.
func (c *ContainerRecord) resetProbes() {
	c.StartedOK, c.Ready, c.Unhealthy, c.UnhealthyGrace, c.ProbeRuns = false, false, false, 0, nil
}

// StartedUp says of a running container that its startup probe has succeeded, or that it has none.
func (c *ContainerRecord) StartedUp(spec *corev1.Container) bool {
	return spec.StartupProbe == nil || c.StartedOK
}

// IsReady says of a running container that its readiness probe succeeds, or that it has none and has started.
func (c *ContainerRecord) IsReady(spec *corev1.Container) bool {
	return c.StartedUp(spec) && (spec.ReadinessProbe == nil || c.Ready)
}

// HasStarted says that a container runs, its postStart hook and its startup probe having succeeded.
func (c *ContainerRecord) HasStarted(spec *corev1.Container) bool {
	return c.CountsAsRunning() && c.StartedUp(spec)
}

// ShownAttempt is the attempt that a status tells of, -1 before the first: one that is being made, and one whose postStart
// hook is not done, are not there yet, and all that is told is of the one before.
func (c *ContainerRecord) ShownAttempt() int {
	if c.State == ContainerStarting || c.State == ContainerPostStart || c.Void {
		return c.Attempt - 1
	}
	return c.Attempt
}

// ShownImage is the image of the attempt that a status tells of. ref is how the manifest names it now.
func (c *ContainerRecord) ShownImage(ref string) ImageRecord {
	shown := c.Image
	if c.State == ContainerPostStart {
		shown = c.ImageBefore
	}
	switch {
	case shown != nil:
		return *shown
	case c.Image == nil && c.ShownAttempt() >= c.Base: // the record is of a podd that did not keep it
		return ImageRecord{Ref: ref, ID: c.ImageID}
	}
	return ImageRecord{Ref: ref}
}

// UseImage takes in what the attempt was made of that is a container now.
func (c *ContainerRecord) UseImage(i ImageRecord) { c.ImageBefore, c.Image = c.Image, &i }

// WasDelayed says of a container that has ended that its next start had, or has, to wait.
func (c *ContainerRecord) WasDelayed() bool {
	return c.Ended != nil && c.NotBefore > c.Ended.Finished.Mono
}

// CountsAsRunning says whether a container counts as running: not before its postStart hook is done. One that has
// just ended does so until its termination message is known.
func (c *ContainerRecord) CountsAsRunning() bool {
	return c.Started != nil && c.State != ContainerPostStart && (c.State.Alive() || c.State == ContainerExited && !c.Reported)
}

// HasFailed says of a container that its last attempt has not ended well. One that was ended for its probes has failed
// whatever its exit code is, as with the kubelet.
func (c *ContainerRecord) HasFailed() bool { return c.Ended == nil || c.Ended.Code != 0 || c.Unhealthy }

// CrashLoops says that a command that could not be started waits for its next try: the kubelet shows that as a
// crash loop, and why it could not be started as the last termination.
func (c *ContainerRecord) CrashLoops(now Instant) bool {
	return c.Ended != nil && c.Waiting.Reason == "RunContainerError" && c.State == ContainerCollected && c.NotBefore > now.Mono
}

// Reasons why a container waits for its image. The kubelet's, but for the last two.
const (
	ReasonImagePull       = "ErrImagePull"
	ReasonImageBackOff    = "ImagePullBackOff"
	ReasonImageNever      = "ErrImageNeverPull"
	ReasonImageName       = "InvalidImageName"
	ReasonRegistry        = "RegistryUnavailable"
	ReasonSignature       = "SignatureValidationFailed"
	ReasonClock           = "ClockNotSet"     // a certificate cannot be judged yet
	ReasonImagePullWindow = "ImagePullWindow" // the hours in which images are pulled have not come
)

// IsImageReason says of the reason why a container waits that it is its image.
func IsImageReason(reason string) bool {
	switch reason {
	case ReasonImageNever, ReasonImageBackOff, ReasonClock, ReasonImagePullWindow:
		return true
	}
	return IsPullFailure(reason)
}

// IsPullFailure says of the reason why a container waits that a pull has just failed: the back-off follows.
func IsPullFailure(reason string) bool {
	switch reason {
	case ReasonImagePull, ReasonImageName, ReasonRegistry, ReasonSignature:
		return true
	}
	return false
}
