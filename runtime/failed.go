package runtime

import (
	"errors"
	"time"

	"podd/runtime/executor"
)

// retryDelay is how long a pod rests after a step has failed.
const retryDelay = time.Second

// A step that goes on failing is tried ever less often: a disk that has become read-only stays so for hours.
const (
	patientAfter = 5 // tries
	retryLast    = time.Minute
)

// failing is the step of a pod that has gone wrong, until it goes well.
type failing struct {
	action string
	times  int
	text   string // of the last error; it is told once
}

// next takes in the outcome of a step; news: it is to be told.
func (f *failing) next(action string, err error) (news bool) {
	switch {
	case errors.Is(err, executor.ErrSkipped):
		return false
	case action != f.action && err == nil:
		return false
	case action != f.action || err == nil:
		*f = failing{}
	}
	if err == nil {
		return false
	}
	news = f.text != err.Error()
	f.action, f.times, f.text = action, f.times+1, err.Error()
	return news
}

// delay is how long to rest before the next try.
func (f *failing) delay() time.Duration {
	return min(retryDelay<<min(max(f.times-patientAfter, 0), 10), retryLast)
}
