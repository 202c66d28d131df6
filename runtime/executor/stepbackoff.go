package executor

import (
	"errors"
	"time"
)

// RetryDelay is how long a pod rests after a step has failed.
const RetryDelay = time.Second

// A step that goes on failing is tried ever less often: a disk that has become read-only stays so for hours.
const (
	patientAfter = 5 // tries
	retryLast    = time.Minute
)

// StepBackoff is about the step of a pod that has gone wrong, until it goes well. It belongs to the loop.
type StepBackoff struct {
	action string
	times  int
	text   string // of the last error; it is told once
}

// Record takes in the outcome of a step; news: it is to be told.
func (b *StepBackoff) Record(action string, err error) (news bool) {
	switch {
	case errors.Is(err, ErrSkipped):
		return false
	case action != b.action && err == nil:
		return false
	case action != b.action || err == nil:
		*b = StepBackoff{}
	}
	if err == nil {
		return false
	}
	news = b.text != err.Error()
	b.action, b.times, b.text = action, b.times+1, err.Error()
	return news
}

// Delay is how long to rest before the next try.
func (b *StepBackoff) Delay() time.Duration {
	return min(RetryDelay<<min(max(b.times-patientAfter, 0), 10), retryLast)
}
