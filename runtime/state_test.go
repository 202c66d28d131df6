package runtime

import (
	"errors"
	"testing"
)

func TestContainerTransitions(t *testing.T) {
	states := []ContainerState{ContainerWaiting, ContainerStarting, ContainerRunning, ContainerStopping, ContainerExited, ContainerCollected}
	events := []ContainerEvent{EventStart, EventStarted, EventStartFailed, EventStop, EventExit, EventCollect}
	legal := map[ContainerState]map[ContainerEvent]ContainerState{
		ContainerWaiting:   {EventStart: ContainerStarting},
		ContainerStarting:  {EventStarted: ContainerRunning, EventStartFailed: ContainerExited},
		ContainerRunning:   {EventStop: ContainerStopping, EventExit: ContainerExited},
		ContainerStopping:  {EventExit: ContainerExited},
		ContainerExited:    {EventCollect: ContainerCollected},
		ContainerCollected: {EventStart: ContainerStarting},
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
	states := []PodState{PodWaiting, PodRunning, PodStopping, PodFinished, PodGone}
	events := []PodEvent{EventSandboxReady, EventPodStop, EventPodFinish, EventPodRemove}
	legal := map[PodState]map[PodEvent]PodState{
		PodWaiting:  {EventSandboxReady: PodRunning, EventPodStop: PodStopping},
		PodRunning:  {EventPodStop: PodStopping, EventPodFinish: PodFinished},
		PodStopping: {EventPodRemove: PodGone},
		PodFinished: {EventPodStop: PodStopping},
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
