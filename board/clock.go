package board

import "time"

// built is a year in which this was written: a clock that shows an earlier one is wrong.
const built = 2026

func clock(m *Machine) []Finding {
	shown := m.Now.UTC().Format(time.RFC3339)
	switch {
	case m.Now.Year() < built:
		return one("clock", Warn, "the clock shows "+shown+": it has not been set. Certificates do not fit, and logs have wrong times. podd itself goes by the time since boot", "wait for the network, or set the clock; install systemd-timesyncd or chrony, and fake-hwclock on a board without a battery")
	case !m.Synced:
		return one("clock", Warn, "the clock shows "+shown+", and nobody keeps it right", "install systemd-timesyncd or chrony, or let it reach its servers")
	}
	return one("clock", OK, "the clock shows "+shown+", and is kept right", "")
}
