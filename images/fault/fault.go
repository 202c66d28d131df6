// Package fault has what can be wrong with an archive, an image or a name: the kinds, and sentences that carry one.
package fault

import (
	"errors"
	"fmt"
)

// Kinds of faults; each is wrapped by a sentence that says what to do.
var (
	// ErrRefused: the archive is broken or hostile. Nothing of it was kept.
	ErrRefused = errors.New("archive refused")
	// ErrTruncated: the archive ends before its end, as a half-copied one does.
	ErrTruncated = errors.New("archive is cut short")
	// ErrPlatform: the archive holds no image that this machine can run.
	ErrPlatform = errors.New("no image for this platform")
	// ErrBadName: the text is no image reference.
	ErrBadName = errors.New("invalid image name")
)

// Sentence is an error whose text stands alone while errors.Is still finds its kind.
type Sentence struct {
	Kind error
	Text string
}

func (e *Sentence) Error() string { return e.Text }

func (e *Sentence) Unwrap() error { return e.Kind }

// Refusef says why something is refused (ErrRefused).
//
//go:noinline
func Refusef(format string, args ...any) error {
	return &Sentence{ErrRefused, fmt.Sprintf(format, args...)}
}

// Truncatedf says what ends too early (ErrTruncated).
func Truncatedf(format string, args ...any) error {
	return &Sentence{ErrTruncated, fmt.Sprintf(format, args...)}
}

// Platformf says which platform does not fit (ErrPlatform).
func Platformf(format string, args ...any) error {
	return &Sentence{ErrPlatform, fmt.Sprintf(format, args...)}
}

// BadNamef says what is wrong with an image name (ErrBadName).
func BadNamef(format string, args ...any) error {
	return &Sentence{ErrBadName, fmt.Sprintf(format, args...)}
}

// Clip shortens what a stranger has written, for a message.
func Clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
