package hub

import (
	"errors"
	"slices"
	"testing"
)

func drain(ch <-chan int, n int) []int {
	var got []int
	for range n {
		got = append(got, <-ch)
	}
	return got
}

func TestHubReplays(t *testing.T) {
	h := New[int](10, 3)
	for rv := uint64(11); rv <= 15; rv++ {
		h.Publish(rv, int(rv))
	}
	tests := []struct {
		since uint64
		want  []int
	}{{12, []int{13, 14, 15}}, {13, []int{14, 15}}, {14, []int{15}}, {15, nil}}
	for _, tt := range tests {
		ch, cancel, err := h.Watch(tt.since)
		if err != nil {
			t.Errorf("since %d: %v", tt.since, err)
			continue
		}
		if got := drain(ch, len(tt.want)); !slices.Equal(got, tt.want) || len(ch) != 0 {
			t.Errorf("since %d: got %v and %d more, want %v", tt.since, got, len(ch), tt.want)
		}
		cancel()
	}
	for _, since := range []uint64{0, 10, 11, 16} {
		if _, _, err := h.Watch(since); !errors.Is(err, ErrTooOld) {
			t.Errorf("since %d: %v, want ErrTooOld", since, err)
		}
	}
}

func TestHubFromItsStart(t *testing.T) {
	h := New[int](10, 3)
	ch, cancel, err := h.Watch(10)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	h.Publish(11, 11)
	if got := <-ch; got != 11 {
		t.Errorf("got %d", got)
	}
}

func TestHubThatRemembersNothing(t *testing.T) {
	h := New[int](0, 0)
	ch, cancel, err := h.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	h.Publish(1, 1)
	if got := <-ch; got != 1 {
		t.Errorf("got %d", got)
	}
	if _, _, err := h.Watch(0); !errors.Is(err, ErrTooOld) {
		t.Errorf("got %v, want ErrTooOld", err)
	}
}

func TestHubDropsTheSlow(t *testing.T) {
	h := New[int](0, 1)
	slow, _, err := h.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	quick, cancel, err := h.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for rv := uint64(1); rv <= watcherSlack+1; rv++ {
		h.Publish(rv, int(rv))
		if got := <-quick; got != int(rv) {
			t.Fatalf("quick watcher got %d, want %d", got, rv)
		}
	}
	n := 0
	for range slow { // ends because it is closed
		n++
	}
	if n != watcherSlack {
		t.Errorf("slow watcher got %d changes before it was dropped, want %d", n, watcherSlack)
	}
	if len(h.watchers) != 1 {
		t.Errorf("%d watchers left, want 1", len(h.watchers))
	}
}

func TestHubCancelled(t *testing.T) {
	h := New[int](0, 1)
	ch, cancel, err := h.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	cancel()
	h.Publish(1, 1)
	if len(ch) != 0 || len(h.watchers) != 0 {
		t.Error("a cancelled watcher still gets changes")
	}
}
