package state

import "fmt"

// PodState is where a pod stands in the runtime; its phase is made from it and from its containers.
type PodState string

// The states of a pod.
const (
	PodWaiting   PodState = "Waiting"   // no sandbox yet
	PodRunning   PodState = "Running"   // its sandbox is up
	PodFinishing PodState = "Finishing" // it has succeeded or failed; what still runs is ended
	PodStopping  PodState = "Stopping"  // it ends: removed, replaced, or the board stops
	PodFinished  PodState = "Finished"  // its containers have ended for good, its sandbox is gone
	PodGone      PodState = "Gone"      // nothing is left
)

// PodEvent moves a pod from state to state.
type PodEvent string

// The events of a pod.
const (
	EventSandboxReady PodEvent = "sandbox ready"
	EventPodFinishing PodEvent = "finishing"
	EventPodStop      PodEvent = "stop"
	EventPodFinish    PodEvent = "finish"
	EventPodRemove    PodEvent = "remove"
)

// transition is the only way for a pod to change its state.
func (s PodState) transition(e PodEvent) (PodState, error) {
	switch {
	case e == EventSandboxReady && s == PodWaiting:
		return PodRunning, nil
	case e == EventPodFinishing && (s == PodWaiting || s == PodRunning):
		return PodFinishing, nil
	case e == EventPodStop && (s == PodWaiting || s == PodRunning || s == PodFinishing || s == PodFinished):
		return PodStopping, nil
	case e == EventPodFinish && s == PodFinishing:
		return PodFinished, nil
	case e == EventPodRemove && s == PodStopping:
		return PodGone, nil
	}
	return s, fmt.Errorf("%w: pod %s in state %s", ErrIllegalMove, e, s)
}
