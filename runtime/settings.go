package runtime

import (
	"context"
	"time"

	"podd/runtime/container"
	"podd/runtime/state"
)

// Settings are the part of Config that may change while pods run.
type Settings struct {
	LogMaxSize   int64 // bytes of one log file
	LogMaxFiles  int
	PodPidsLimit int64
	StopGrace    time.Duration // the longest grace when the board stops; 0: each pod's own
	// Rlimits are those of containers that start later.
	Rlimits []container.Rlimit
	// AllowedUnsafeSysctls are names and prefixes (kernel.msg*) of sysctls that pods may set beside the safe ones.
	AllowedUnsafeSysctls []string
	// Labels of the node, beside those that every node has. A pod that runs stays; one that waits is asked again.
	Labels map[string]string
}

// Change takes other settings from now on: for containers and pods that start later, and for the next stop.
func (r *Runtime) Change(s Settings) { r.settings.Store(&s) }

// LongestGrace is how long the pods that there are may take to end, if all of them are told to now.
func (r *Runtime) LongestGrace(ctx context.Context) (time.Duration, error) {
	var longest time.Duration
	err := r.call(ctx, func() {
		for _, p := range r.pods {
			longest = max(longest, r.stopGrace(p))
		}
	})
	if limit := r.settings.Load().StopGrace; limit > 0 {
		longest = min(longest, limit)
	}
	return longest, err
}

// Beat returns once the loop has come round: the sign of life that a watchdog asks for. It does not count as work.
func (r *Runtime) Beat(ctx context.Context) error {
	done := make(chan struct{})
	r.inbox.put(msgBeat{done})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rescan looks at the folder again and returns when what it holds is decided on, or the folder does not answer.
func (r *Runtime) Rescan(ctx context.Context) error {
	r.ImagesChanged()
	done := make(chan struct{})
	r.inbox.put(msgRescan{done})
	select {
	case <-done:
		return r.call(ctx, r.markWaiting)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// markWaiting looks again at the pods that have not begun or were not admitted: the board may have other settings.
func (r *Runtime) markWaiting() {
	for uid, p := range r.pods {
		if p.Record.State == state.PodWaiting || p.Record.State == state.PodFinished && !p.Record.Initialized {
			r.mark(uid)
		}
	}
}
