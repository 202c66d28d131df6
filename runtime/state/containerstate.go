package state

import "fmt"

// ContainerState is where one container of a pod stands.
type ContainerState string

// The states of a container. One attempt goes from Starting to Collected; the next begins at Starting again.
const (
	ContainerWaiting   ContainerState = "Waiting"   // never started
	ContainerStarting  ContainerState = "Starting"  // being made
	ContainerPostStart ContainerState = "PostStart" // its process runs, its postStart hook is not done
	ContainerRunning   ContainerState = "Running"   // its process runs
	ContainerPreStop   ContainerState = "PreStop"   // it is to end, its preStop hook comes first
	ContainerStopping  ContainerState = "Stopping"  // its stop signal was sent
	ContainerExited    ContainerState = "Exited"    // its process is gone, its remains are not
	ContainerCollected ContainerState = "Collected" // nothing is left but its record and its log
)

// ContainerEvent moves a container from state to state.
type ContainerEvent string

// The events of a container.
const (
	EventStart       ContainerEvent = "start"
	EventCreated     ContainerEvent = "created" // its process runs, and a postStart hook is to follow
	EventStarted     ContainerEvent = "started"
	EventStartFailed ContainerEvent = "start failed"
	EventPreStop     ContainerEvent = "pre-stop"
	EventStop        ContainerEvent = "stop"
	EventExit        ContainerEvent = "exit"
	EventCollect     ContainerEvent = "collect"
	EventReset       ContainerEvent = "reset" // all containers of the pod begin anew
)

// transition is the only way for a container to change its state.
func (s ContainerState) transition(e ContainerEvent) (ContainerState, error) {
	switch {
	case e == EventStart && (s == ContainerWaiting || s == ContainerCollected):
		return ContainerStarting, nil
	case e == EventCreated && s == ContainerStarting:
		return ContainerPostStart, nil
	case e == EventStarted && (s == ContainerStarting || s == ContainerPostStart):
		return ContainerRunning, nil
	case e == EventStartFailed && s == ContainerStarting:
		return ContainerExited, nil
	case e == EventPreStop && (s == ContainerPostStart || s == ContainerRunning):
		return ContainerPreStop, nil
	case e == EventStop && (s == ContainerPostStart || s == ContainerRunning || s == ContainerPreStop):
		return ContainerStopping, nil
	case e == EventExit && s.Alive():
		return ContainerExited, nil
	case e == EventCollect && s == ContainerExited:
		return ContainerCollected, nil
	case e == EventReset && (s == ContainerCollected || s == ContainerWaiting):
		return ContainerWaiting, nil
	}
	return s, fmt.Errorf("%w: container %s in state %s", ErrIllegalMove, e, s)
}

// Alive says whether the state has a process.
//
//go:noinline
func (s ContainerState) Alive() bool {
	switch s {
	case ContainerPostStart, ContainerRunning, ContainerPreStop, ContainerStopping:
		return true
	case ContainerWaiting, ContainerStarting, ContainerExited, ContainerCollected:
	}
	return false
}
