package harness

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// Probed is a container of the answerer's image that runs a script; more lines go into it.
func Probed(name, script string, more ...string) string {
	return strings.Replace(ContainerOf(name, script, more...), "image: busybox", "image: answerer", 1)
}

// NewProbedBoard is newBoard with the answerer's image.
func NewProbedBoard(t *testing.T, options ...Option) *Board {
	t.Helper()
	b := NewEmptyBoard(t, options...)
	b.LoadImages("busybox.tar", "answerer.tar")
	b.MustStart()
	return b
}

func IsReady(container string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if ContainerStatus(pod, container).Ready {
			return ""
		}
		return "container " + container + " is not ready"
	}
}

func IsUnready(container string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if c := ContainerStatus(pod, container); c.State.Running != nil && !c.Ready {
			return ""
		}
		return "container " + container + " is ready, or does not run"
	}
}

// Happened waits for an event of a pod with the reason and the text, as often as count at least.
func (b *Board) Happened(pod, reason, text string, count int32) corev1.Event {
	b.T.Helper()
	var found corev1.Event
	b.Must(lab.Poll(Limit, func() (bool, error) {
		list, err := b.Events()
		if err != nil {
			return false, err
		}
		var all strings.Builder
		for _, e := range list {
			if e.InvolvedObject.Name != pod {
				continue
			}
			fmt.Fprintf(&all, "%d %s: %s\n", e.Count, e.Reason, e.Message)
			if e.Reason == reason && strings.Contains(e.Message, text) && e.Count >= count {
				found = e
				return true, nil
			}
		}
		return false, fmt.Errorf("no event %s of %s with %q; there are:\n%s", reason, pod, text, &all)
	}))
	return found
}

// NeverHappened asks once.
func (b *Board) NeverHappened(pod, reason string) {
	b.T.Helper()
	list, err := b.Events()
	b.Must(err)
	for _, e := range list {
		if e.InvolvedObject.Name == pod && e.Reason == reason {
			b.T.Errorf("an event of %s: %s: %s", pod, e.Reason, e.Message)
		}
	}
}

// Seen is what the answerer of a pod was asked so far.
func (b *Board) Seen(pod string) string {
	b.T.Helper()
	return Get(b, "http://"+b.MustPod(pod).Status.PodIP+":8080/seen")
}

// Saw waits until the answerer of a pod was asked for something n times.
func (b *Board) Saw(pod, what string, n int) string {
	b.T.Helper()
	var all string
	b.Must(lab.Poll(Limit, func() (bool, error) {
		all = b.Seen(pod)
		return strings.Count(all, what) >= n, fmt.Errorf("pod %s was not asked %d times for %s:\n%s", pod, n, what, all)
	}))
	return all
}
