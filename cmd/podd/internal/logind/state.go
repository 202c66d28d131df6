package logind

// state is what podd knows of the machine's shutdown. It says what follows from what happens and does nothing itself.
type state struct {
	shuttingDown bool // the machine has announced its shutdown and has not taken that back
}

type action int

const (
	takeLock action = iota // hold up the next shutdown; a lock that is held already is let go after that
	endPods
	cancelEnd // run the pods again
)

// connected: podd can hear logind, which says whether it prepares for a shutdown. What was said before, nobody has heard.
func (s *state) connected(preparing bool) []action {
	if preparing || s.shuttingDown {
		return s.prepare(preparing)
	}
	return []action{takeLock}
}

// prepare: the machine shuts down, or will not do so after all.
func (s *state) prepare(start bool) []action {
	if s.shuttingDown == start {
		return nil
	}
	s.shuttingDown = start
	if start {
		return []action{endPods}
	}
	return []action{cancelEnd, takeLock}
}

// podsEnded says, once no pod is left, whether the machine may go on; not if the shutdown has been cancelled meanwhile.
func (s *state) podsEnded() (goOn bool) { return s.shuttingDown }
