package runtime

import "fmt"

// ContainerState is where one container of a pod stands.
type ContainerState string

// The states of a container. One attempt goes from Starting to Collected; the next begins at Starting again.
const (
	ContainerWaiting   ContainerState = "Waiting"   // never started
	ContainerStarting  ContainerState = "Starting"  // being made
	ContainerRunning   ContainerState = "Running"   // its process runs
	ContainerStopping  ContainerState = "Stopping"  // its stop signal was sent
	ContainerExited    ContainerState = "Exited"    // its process is gone, its remains are not
	ContainerCollected ContainerState = "Collected" // nothing is left but its record and its log
)

// ContainerEvent moves a container from state to state.
type ContainerEvent string

// The events of a container.
const (
	EventStart       ContainerEvent = "start"
	EventStarted     ContainerEvent = "started"
	EventStartFailed ContainerEvent = "start failed"
	EventStop        ContainerEvent = "stop"
	EventExit        ContainerEvent = "exit"
	EventCollect     ContainerEvent = "collect"
)

// transition is the only way for a container to change its state.
func (s ContainerState) transition(e ContainerEvent) (ContainerState, error) {
	switch {
	case e == EventStart && (s == ContainerWaiting || s == ContainerCollected):
		return ContainerStarting, nil
	case e == EventStarted && s == ContainerStarting:
		return ContainerRunning, nil
	case e == EventStartFailed && s == ContainerStarting:
		return ContainerExited, nil
	case e == EventStop && s == ContainerRunning:
		return ContainerStopping, nil
	case e == EventExit && (s == ContainerRunning || s == ContainerStopping):
		return ContainerExited, nil
	case e == EventCollect && s == ContainerExited:
		return ContainerCollected, nil
	}
	return s, fmt.Errorf("%w: container %s in state %s", ErrIllegalMove, e, s)
}

// alive says whether the state has a process.
func (s ContainerState) alive() bool { return s == ContainerRunning || s == ContainerStopping }
