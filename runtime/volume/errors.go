package volume

import "errors"

var (
	// ErrNotFound says that an object, a key or a claim that a volume needs is not there (yet).
	ErrNotFound = errors.New("not found")
	// ErrEscapes says that a path would leave the volume.
	ErrEscapes = errors.New("the path leaves the volume")
	// ErrNoQuota says that the file system holds no folders of podd's to limits: it has no project quotas, or they are off,
	// or somebody else's.
	ErrNoQuota = errors.New("the file system has no project quotas")
)

// notFound is an ErrNotFound with the kubelet's words alone.
type notFound struct{ text string }

func (e *notFound) Error() string { return e.text }
func (e *notFound) Unwrap() error { return ErrNotFound }
