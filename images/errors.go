package images

import (
	"errors"
	"fmt"
)

// Sentinels of this package; each is wrapped by a sentence that names the archive or image and what to do.
var (
	// ErrNotFound: no image of the store has this name or ID.
	ErrNotFound = errors.New("image not found")
	// ErrInUse: a container runs from the image.
	ErrInUse = errors.New("image is in use")
	// ErrRefused: the archive is broken or hostile. Nothing of it was kept.
	ErrRefused = errors.New("archive refused")
	// ErrTruncated: the archive ends before its end, as a half-copied one does.
	ErrTruncated = errors.New("archive is cut short")
	// ErrPlatform: the archive holds no image that this machine can run.
	ErrPlatform = errors.New("no image for this platform")
	// ErrBadName: the text is no image reference.
	ErrBadName = errors.New("invalid image name")
)

// sentence is an error whose text stands alone while errors.Is still finds its kind.
type sentence struct {
	kind error
	text string
}

func (e *sentence) Error() string { return e.text }
func (e *sentence) Unwrap() error { return e.kind }

func refusef(format string, args ...any) error {
	return &sentence{ErrRefused, fmt.Sprintf(format, args...)}
}

func truncatedf(format string, args ...any) error {
	return &sentence{ErrTruncated, fmt.Sprintf(format, args...)}
}

func platformf(format string, args ...any) error {
	return &sentence{ErrPlatform, fmt.Sprintf(format, args...)}
}

func badNamef(format string, args ...any) error {
	return &sentence{ErrBadName, fmt.Sprintf(format, args...)}
}
