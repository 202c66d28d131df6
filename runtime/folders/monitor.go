package folders

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/state"
)

// Monitor watches over the folders. podd runs without room in them and without the right to write: what runs goes on, what is
// new waits. Nothing is looked at while all is well; what goes wrong is reason to look. It belongs to the loop.
type Monitor struct {
	Folders *Folders
	// Prepare makes what is to be in the folders. Others says whether what others keep on the disk can be written; nil: nobody
	// keeps anything. Both are called from any goroutine.
	Prepare, Others func() error
	// Tried brings the loop what was found, for Take, from any goroutine.
	Tried func(problems map[string]error)
	// Report says what is wrong with what, or with nil that it is right again.
	Report func(what string, err error)

	bad       bool
	suspected bool           // by an error since all was found well
	cleared   state.BootTime // when a suspicion was last found to be wrong; 0: never
	trying    bool
	again     state.BootTime // the next try, since boot; 0: none is due
	delay     time.Duration
}

// The delays between two tries while something is wrong.
const (
	retryFirst = time.Second
	retryLast  = time.Minute
)

// Start makes the folders, and looks whether they can be written to, without doing so. After an error they are tried: podd
// starts whatever it finds.
func (m *Monitor) Start() error {
	err := errors.Join(m.Prepare(), m.Folders.forgetOtherBoot(), m.Folders.sweep(), m.Folders.Look())
	if err != nil {
		m.bad = true
		m.Try()
	}
	return err
}

// isStorageError tells what a full, a read-only or a dying disk answers.
func isStorageError(err error) bool {
	for _, of := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// Suspect tries the folders if an error may be theirs.
func (m *Monitor) Suspect(err error) {
	if isStorageError(err) && !m.bad {
		m.suspected = true
		m.Try()
	}
}

// Finding is what a try has changed.
type Finding int

const (
	// Unchanged: nothing that was given up can go on now.
	Unchanged Finding = iota
	// Cleared: an error made podd look, and all can be written to, again or because it was another disk's error. What was given
	// up for it and has no time of its own to be tried again is tried now.
	Cleared
	// Mended: all can be written to, and could not before.
	Mended
)

// Try makes the folders and tries to write to them, away from the loop.
func (m *Monitor) Try() {
	if m.trying {
		return
	}
	m.trying, m.again = true, 0
	go func() {
		problems := m.Folders.try(m.Prepare)
		if m.Others != nil {
			problems["images"] = m.Others()
		}
		m.Tried(problems)
	}()
}

// RetryAt is when to try again (since boot), 0: never.
func (m *Monitor) RetryAt() state.BootTime { return m.again }

// Take takes in what a try has found.
func (m *Monitor) Take(problems map[string]error, now state.Instant) Finding {
	was := m.bad
	m.trying, m.bad = false, false
	for what, err := range problems {
		m.bad = m.bad || err != nil
		m.Report(what, err)
	}
	if m.bad {
		m.delay = min(max(2*m.delay, retryFirst), retryLast)
		m.again = now.After(m.delay)
		return Unchanged
	}
	m.delay = 0
	switch next := m.cleared.Add(retryLast); {
	case was:
		m.suspected = false
		return Mended
	case !m.suspected:
		return Unchanged
	case m.cleared != 0 && now.Mono < next:
		m.again = next // what is tried may raise the same suspicion
		return Unchanged
	}
	m.suspected, m.cleared = false, now.Mono
	return Cleared
}
