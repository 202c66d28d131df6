// Package lifecycle says what becomes of a pod by what has happened to it: the outcome of an action, the end of a process, the
// result of a probe or of a hook, a cgroup that is gone, the death of the daemon before this one. Each is a transition of the
// pod's record, with its event and its line in the log. It has no goroutine; the loop calls it.
package lifecycle

import (
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/images"
	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/prober"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// Handler takes what happens to pods into their records.
type Handler struct {
	Loop    Loop
	Inputs  Inputs
	Kernel  Kernel
	Cgroups Cgroups
	Prober  *prober.Prober
	Events  func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log     *slog.Logger

	Node    corev1.ObjectReference
	noUsers string // what was last said of why no pod of the node gets ids of its own
}

// Loop is what a pod asks of the loop, which has all pods and all settings.
type Loop interface {
	// Save writes the pod's record at the end of the step, Mark decides anew for the pod, Publish shows it as it is now.
	Save(p *Pod)
	Mark(p *Pod)
	Publish(p *Pod, now state.Instant)

	// Wanted says whether a manifest asks for the pod, and StopGrace how long it gets if its end begins now.
	Wanted(p *Pod) bool
	StopGrace(p *Pod) time.Duration
	// ShutsDown says whether the pods end with the board.
	ShutsDown() bool

	// SandboxReady is called once for each sandbox.
	SandboxReady(p *Pod, now state.Instant)
	// ResourcesChanged says that the pods together may ask for more or for less; CgroupLost that what was set is gone.
	ResourcesChanged()
	CgroupLost()
	// Pull begins to pull the image of a container, or else of a volume. What becomes of it comes to HandlePulled.
	Pull(p *Pod, name, volume string, now state.Instant)
	// VolumesReady shows the claims that the pod has made.
	VolumesReady(p *Pod)
	// Finished keeps the end of a pod that is not to run again. Forget drops a pod of which nothing is left.
	Finished(p *Pod)
	Forget(p *Pod)
	// SuspectStorage says that an error, or nil, may come from a disk that is full or cannot be written.
	SuspectStorage(err error)
	// ProcessEnded hints that a container's process is dead. Any goroutine calls it.
	ProcessEnded(uid types.UID, name string)
}

// Inputs is what the start and the end of containers depend on.
type Inputs interface {
	// Image is what a container's next attempt runs from.
	Image(rec *state.Record, name string) (images.Image, error)
	// StopSignal is what a container is asked to end with.
	StopSignal(rec *state.Record, name string) string
	// LongestBackoff is what a container that crashes waits at most before its next start.
	LongestBackoff() time.Duration
	// Log is where and how the output of an attempt is written.
	Log(rec *state.Record, name string, attempt int) stdio.Log
}

// Kernel is what an earlier daemon has left that runs, or what is left of it. IDs are those of attempts (state.ContainerID).
type Kernel interface {
	Find(id string) (*container.Found, error)
	Discard(id string) error
	// Adopt takes over the descriptors of an attempt. stored: somebody has kept them meanwhile.
	Adopt(id string, log stdio.Log) (l executor.ContainerIO, stored bool, err error)
	AdoptUnlogged(id string) executor.ContainerIO
	// AdoptLeases takes over the range of ids, and the SELinux level, that a pod's containers run with.
	AdoptLeases(rec *state.Record) error
	// CgroupLost is the cgroup that an attempt should be in and is not; "": it is where it should be.
	CgroupLost(id string) (cgroup string, err error)
}

// Cgroups is what is asked of the cgroups of pods.
type Cgroups interface {
	OOMKills(path string) (uint64, error)
	WatchPod(cgroup string) error
}

// usersDecided tells whose users and groups a pod has that leaves that to the node. What is so for all pods is said of the
// node, once.
func (h *Handler) usersDecided(p *Pod, now state.Instant) {
	s := &p.Record.Sandbox
	switch {
	case p.Record.Object.Spec.HostUsers != nil:
	case s.OwnUsers:
		h.Event(p, "", now, corev1.EventTypeNormal, "UserNamespace", "The pod has users and groups of its own")
	case s.NoUsers:
		if h.noUsers != s.HostUsers {
			h.noUsers = s.HostUsers
			h.Events(now.Wall, h.Node, corev1.EventTypeNormal, "UserNamespace", "Pods have the machine's users and groups: "+s.HostUsers)
		}
	case s.HostUsers != "":
		h.Event(p, "", now, corev1.EventTypeNormal, "UserNamespace", "The pod has the machine's users and groups: "+s.HostUsers)
	}
}

// Event records something that happened to a pod, or to one of its containers.
func (h *Handler) Event(p *Pod, containerName string, now state.Instant, typ, reason, message string) {
	ref := corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod",
		Namespace: p.Record.Object.Namespace, Name: p.Record.Object.Name, UID: p.Record.UID,
	}
	if containerName != "" {
		ref.FieldPath = "spec.containers{" + containerName + "}"
		if c := p.Record.Container(containerName); c != nil && c.Kind != state.KindMain {
			ref.FieldPath = "spec.initContainers{" + containerName + "}"
			if c.Kind == state.KindEphemeral {
				ref.FieldPath = "spec.ephemeralContainers{" + containerName + "}"
			}
		}
	}
	h.Events(now.Wall, ref, typ, reason, message)
}
