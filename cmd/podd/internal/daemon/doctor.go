package daemon

import (
	"cmp"
	"strings"

	"podd/board"
	"podd/netns/diagnose"
)

// runDoctor looks at the board once and says what is not as it should be, in the log and in the node's conditions. It
// runs beside the first pods' start.
func (d *daemon) runDoctor() {
	var reasons []string
	// At a boot the network has not told the time yet; a clock that was never set at all shows by its year.
	const synced = true
	m := d.config.Machine(synced)
	for _, f := range diagnose.Examine(&m) {
		if f.Verdict == board.OK {
			continue
		}
		reasons = append(reasons, f.Check+": "+f.Reason)
		level := d.log.Warn
		if f.Verdict == board.Fail {
			level = d.log.Error
		}
		level("doctor: "+f.Reason, "check", f.Check, "remedy", cmp.Or(f.Remedy, "none known"))
	}
	d.boardProblems.set(strings.Join(reasons, "; "))
}
