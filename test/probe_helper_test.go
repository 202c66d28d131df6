package test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// probed is a container of the answerer's image that runs a script; more lines go into it.
func probed(name, script string, more ...string) string {
	return strings.Replace(containerOf(name, script, more...), "image: busybox", "image: answerer", 1)
}

// newProbedBoard is newBoard with the answerer's image.
func newProbedBoard(t *testing.T, options ...option) *Board {
	t.Helper()
	b := newEmptyBoard(t, options...)
	b.loadImages("busybox.tar", "answerer.tar")
	b.start()
	return b
}

func isReady(container string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if containerStatus(pod, container).Ready {
			return ""
		}
		return "container " + container + " is not ready"
	}
}

func isUnready(container string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if c := containerStatus(pod, container); c.State.Running != nil && !c.Ready {
			return ""
		}
		return "container " + container + " is ready, or does not run"
	}
}

// happened waits for an event of a pod with the reason and the text, as often as count at least.
func (b *Board) happened(pod, reason, text string, count int32) corev1.Event {
	b.t.Helper()
	var found corev1.Event
	b.must(lab.Poll(limit, func() (bool, error) {
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

// neverHappened asks once.
func (b *Board) neverHappened(pod, reason string) {
	b.t.Helper()
	list, err := b.Events()
	b.must(err)
	for _, e := range list {
		if e.InvolvedObject.Name == pod && e.Reason == reason {
			b.t.Errorf("an event of %s: %s: %s", pod, e.Reason, e.Message)
		}
	}
}

// seen is what the answerer of a pod was asked so far.
func (b *Board) seen(pod string) string {
	b.t.Helper()
	return get(b, "http://"+b.pod(pod).Status.PodIP+":8080/seen")
}

// saw waits until the answerer of a pod was asked for something n times.
func (b *Board) saw(pod, what string, n int) string {
	b.t.Helper()
	var all string
	b.must(lab.Poll(limit, func() (bool, error) {
		all = b.seen(pod)
		return strings.Count(all, what) >= n, fmt.Errorf("pod %s was not asked %d times for %s:\n%s", pod, n, what, all)
	}))
	return all
}
