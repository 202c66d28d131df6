package daemon

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
)

// damages are the files of state that could not be believed. They are found before there is anywhere to record them.
type damages struct {
	mu    sync.Mutex
	ready bool
	early []string
}

// damaged tells of a file of state that was set aside: in the log at once, and as an event of the node. Any goroutine may
// call it.
func (d *daemon) damaged(damage *atomicfile.Damage, lost string) {
	d.log.Error("state is damaged and was set aside", "path", damage.Path, "aside", damage.Aside, "cause", damage.Cause, "lost", lost)
	sentence := damage.Error()
	if lost != "" {
		sentence += ": " + lost
	}
	d.damages.mu.Lock()
	ready := d.damages.ready
	if !ready {
		d.damages.early = append(d.damages.early, sentence)
	}
	d.damages.mu.Unlock()
	if ready {
		d.recordDamage(sentence)
	}
}

// recordDamages records what was found before events could be recorded.
func (d *daemon) recordDamages() {
	d.damages.mu.Lock()
	early := d.damages.early
	d.damages.early, d.damages.ready = nil, true
	d.damages.mu.Unlock()
	for _, sentence := range early {
		d.recordDamage(sentence)
	}
}

func (d *daemon) recordDamage(sentence string) {
	d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "StateDamaged", sentence)
}
