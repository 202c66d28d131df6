package background

import (
	"slices"
	"testing"
)

// What was asked for first is done first, also what is asked for while something is done and after a rest.
func TestQueueKeepsTheOrder(t *testing.T) {
	var q Queue
	var got []int
	hold := make(chan struct{})
	q.Do(func() { <-hold; got = append(got, 1) })
	q.Do(func() { got = append(got, 2) })
	q.Do(func() { got = append(got, 3) })
	close(hold)
	q.Wait()
	q.Do(func() { got = append(got, 4) })
	q.Wait()
	if !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("done in the order %v", got)
	}
}

// Whoever asks does not wait for the work, and Wait does.
func TestQueueWaits(t *testing.T) {
	var q Queue
	q.Wait() // nothing was asked for
	hold, done := make(chan struct{}), false
	q.Do(func() { <-hold; done = true })
	go close(hold)
	q.Wait()
	if !done {
		t.Error("Wait has returned before the work was done")
	}
}
