package images

import (
	"errors"

	"podd/images/fault"
)

// Sentinels of this package; each is wrapped by a sentence that names the archive or image and what to do.
var (
	// ErrNotFound: no image of the store has this name or ID.
	ErrNotFound = errors.New("image not found")
	// ErrInUse: a container runs from the image.
	ErrInUse = errors.New("image is in use")
)

// What can be wrong with an archive or a name.
var (
	// ErrRefused: the archive is broken or hostile. Nothing of it was kept.
	ErrRefused = fault.ErrRefused
	// ErrTruncated: the archive ends before its end, as a half-copied one does.
	ErrTruncated = fault.ErrTruncated
	// ErrPlatform: the archive holds no image that this machine can run.
	ErrPlatform = fault.ErrPlatform
	// ErrBadName: the text is no image reference.
	ErrBadName = fault.ErrBadName
)
