package state

import (
	"errors"
	"testing"
)

func TestContainerTransitions(t *testing.T) {
	states := []ContainerState{
		ContainerWaiting, ContainerStarting, ContainerPostStart, ContainerRunning, ContainerPreStop, ContainerStopping, ContainerExited, ContainerCollected,
	}
	events := []ContainerEvent{EventStart, EventCreated, EventStarted, EventStartFailed, EventPreStop, EventStop, EventExit, EventCollect, EventReset}
	legal := map[ContainerState]map[ContainerEvent]ContainerState{
		ContainerWaiting:   {EventStart: ContainerStarting, EventReset: ContainerWaiting},
		ContainerStarting:  {EventCreated: ContainerPostStart, EventStarted: ContainerRunning, EventStartFailed: ContainerExited},
		ContainerPostStart: {EventStarted: ContainerRunning, EventPreStop: ContainerPreStop, EventStop: ContainerStopping, EventExit: ContainerExited},
		ContainerRunning:   {EventPreStop: ContainerPreStop, EventStop: ContainerStopping, EventExit: ContainerExited},
		ContainerPreStop:   {EventStop: ContainerStopping, EventExit: ContainerExited},
		ContainerStopping:  {EventExit: ContainerExited},
		ContainerExited:    {EventCollect: ContainerCollected},
		ContainerCollected: {EventStart: ContainerStarting, EventReset: ContainerWaiting},
	}
	for _, s := range states {
		for _, e := range events {
			got, err := s.transition(e)
			want, ok := legal[s][e]
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s on %s: got %s, %v; want %s", s, e, got, err, want)
			case !ok && (!errors.Is(err, ErrIllegalMove) || got != s):
				t.Errorf("%s on %s: got %s, %v; want it refused", s, e, got, err)
			}
		}
	}
}

func TestPodTransitions(t *testing.T) {
	states := []PodState{PodWaiting, PodRunning, PodFinishing, PodStopping, PodFinished, PodGone}
	events := []PodEvent{EventSandboxReady, EventPodFinishing, EventPodStop, EventPodFinish, EventPodRemove}
	legal := map[PodState]map[PodEvent]PodState{
		PodWaiting:   {EventSandboxReady: PodRunning, EventPodFinishing: PodFinishing, EventPodStop: PodStopping},
		PodRunning:   {EventPodFinishing: PodFinishing, EventPodStop: PodStopping},
		PodFinishing: {EventPodStop: PodStopping, EventPodFinish: PodFinished},
		PodStopping:  {EventPodRemove: PodGone},
		PodFinished:  {EventPodStop: PodStopping},
	}
	for _, s := range states {
		for _, e := range events {
			got, err := s.transition(e)
			want, ok := legal[s][e]
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s on %s: got %s, %v; want %s", s, e, got, err, want)
			case !ok && (!errors.Is(err, ErrIllegalMove) || got != s):
				t.Errorf("%s on %s: got %s, %v; want it refused", s, e, got, err)
			}
		}
	}
}
