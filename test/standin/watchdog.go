package main

import (
	"os"
	"strconv"
	"sync"
	"time"

	"podd/runtime/fdstore/fdstoretest"
)

// watchdog kills a process that has been ready and stays silent for longer than patience; 0: it never does.
type watchdog struct {
	patience time.Duration

	mu      sync.Mutex
	process *os.Process
	timer   *time.Timer // nil until the process is ready
}

func newWatchdog(patience time.Duration) *watchdog { return &watchdog{patience: patience} }

// environment is what systemd tells a unit with WatchdogSec=.
func (w *watchdog) environment() []string {
	if w.patience == 0 {
		return nil
	}
	return []string{"WATCHDOG_USEC=" + strconv.FormatInt(w.patience.Microseconds(), 10)}
}

// guard takes charge of a process that was just started; nil: of none.
func (w *watchdog) guard(p *os.Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.process = p
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// hear takes a datagram for a sign of life, if it is one.
func (w *watchdog) hear(m fdstoretest.Message) {
	if w.patience == 0 || m.Fields["READY"] != "1" && m.Fields["WATCHDOG"] != "1" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.process; w.timer != nil {
		w.timer.Reset(w.patience)
	} else if p != nil {
		w.timer = time.AfterFunc(w.patience, func() { _ = p.Kill() })
	}
}
