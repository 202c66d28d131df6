package lab

import (
	"errors"
	"fmt"
	"time"
)

// Poll asks until the answer is yes, and says why it is not when limit is over.
func Poll(limit time.Duration, ask func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for {
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
		time.Sleep(5 * time.Millisecond)
	}
}

// Final marks an answer that will not get better.
func Final(err error) error { return finalError{err} }

type finalError struct{ error }
