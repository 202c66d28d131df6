package lab

import (
	"errors"
	"fmt"
	"time"
)

// Pauses between two questions, which grow: many tests wait at once, and what they wait for needs the processor too.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 40 * time.Millisecond
)

// Poll asks until the answer is yes, and says why it is not when limit is over.
func Poll(limit time.Duration, ask func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(pause*5/4, lastPause) {
		yes, why := ask()
		if yes {
			return nil
		}
		var last finalError
		if errors.As(why, &last) {
			return last.error
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", limit, why)
		}
		time.Sleep(pause)
	}
}

// Final marks an answer that will not get better.
func Final(err error) error { return finalError{err} }

type finalError struct{ error }
