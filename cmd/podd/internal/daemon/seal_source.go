package daemon

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/seal"
)

// logSealSource says where the key is that opens sealed Secrets, and what is wrong with that.
func (d *daemon) logSealSource() {
	source, problem, err := seal.Of(d.config.Root).Source()
	if err != nil {
		problem = err.Error()
	}
	if source != "" {
		d.log.Info("sealed Secrets are opened with the board's key", "source", source)
	}
	if problem != "" {
		d.log.Warn("the board's key", "problem", problem)
		d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "SealKey", problem)
	}
}
