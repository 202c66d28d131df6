// Package logind holds up the shutdown of the machine until the pods have ended: with an inhibitor lock of systemd-logind, or
// of elogind, as a kubelet does (pkg/kubelet/nodeshutdown). https://systemd.io/INHIBITOR_LOCKS
package logind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"podd/internal/atomicfile"
)

const (
	// DefaultBus is where the system bus listens unless $DBUS_SYSTEM_BUS_ADDRESS says otherwise.
	DefaultBus = "unix:path=/run/dbus/system_bus_socket"
	// DefaultConfDir is for drop-ins that go with this boot: nothing of them is left when podd is not there any more.
	DefaultConfDir = "/run/systemd/logind.conf.d"

	dropIn = "99-podd.conf"
	// margin is what ending pods takes besides their graces: SIGKILL, unmounting, the last log lines.
	margin = 10 * time.Second

	firstRetry = time.Second
	mostTries  = 8 // of one loss, in four minutes; then only a new socket is a reason
)

// Options say where logind is, and what its shutdowns mean.
type Options struct {
	Bus     string // the address of the system bus
	ConfDir string // of logind's drop-ins
	// EndPods ends all pods and returns after the last, or with ctx. CancelEnd runs them again.
	EndPods, CancelEnd func(ctx context.Context) error
	// WatchFile calls hint whenever a file may have come or changed, until ctx ends.
	WatchFile func(ctx context.Context, path func() string, hint func()) error
	// Event tells users what the machine does.
	Event func(message string)
	Log   *slog.Logger
}

// Watcher waits for the machine's shutdown.
type Watcher struct {
	Options
	needed  atomic.Int64
	changed chan struct{}
	ended   chan int // which end of the pods is over

	// Of the goroutine that runs.
	ctx   context.Context
	state state
	lock  *os.File
	ends  int
	said  string // why there is no lock, as the log has it
}

// New makes a watcher; Run starts it.
func New(o Options) *Watcher {
	return &Watcher{Options: o, changed: make(chan struct{}, 1), ended: make(chan int)}
}

// Require says how long a shutdown may have to wait, by the settings; 0: as long as logind waits for anybody. Any goroutine may
// call it.
func (w *Watcher) Require(d time.Duration) {
	if w.needed.Swap(int64(d)) == int64(d) {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Run follows logind until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	w.ctx = ctx
	came := w.watchSocket()
	defer w.release()
	for tries := 0; ; {
		connected, err := w.session()
		if ctx.Err() != nil {
			return
		}
		if connected {
			tries = 0
		}
		w.complain(err)
		retry := time.NewTimer(firstRetry << tries)
		if tries++; tries > mostTries || absent(err) {
			retry.Stop()
		}
		w.pause(retry.C, came)
		retry.Stop()
	}
}

// watchSocket tells when the socket of the bus may have come.
func (w *Watcher) watchSocket() <-chan struct{} {
	came := make(chan struct{}, 1)
	if socket := socketOf(w.Bus); socket != "" {
		go func() {
			hint := func() {
				select {
				case came <- struct{}{}:
				default:
				}
			}
			if err := w.WatchFile(w.ctx, func() string { return socket }, hint); err != nil && w.ctx.Err() == nil {
				w.Log.Warn("cannot wait for the system bus", "error", err)
			}
		}()
	}
	return came
}

// pause waits for a reason to try the bus again. A shutdown that has begun goes on meanwhile.
func (w *Watcher) pause(retry <-chan time.Time, came <-chan struct{}) {
	for {
		select {
		case <-retry:
			return
		case <-came:
			return
		case end := <-w.ended:
			w.podsEnded(end)
		case <-w.ctx.Done():
			return
		}
	}
}

// absent says of a bus that it is not there at all: it is not looked for, but waited for.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// socketOf is the file of a bus's address, "" if it has none.
func socketOf(address string) string {
	for _, part := range strings.Split(strings.TrimPrefix(address, "unix:"), ",") {
		if path, ok := strings.CutPrefix(part, "path="); ok {
			return path
		}
	}
	return ""
}

// complain says once why shutdowns do not wait for the pods: many boards have neither a bus nor logind.
func (w *Watcher) complain(err error) {
	said := err.Error()
	if said == w.said {
		return
	}
	w.said = said
	level := slog.LevelWarn
	if absent(err) || errors.Is(err, errNoLogind) {
		level = slog.LevelInfo
	}
	w.Log.Log(w.ctx, level, "a shutdown of the machine does not wait for the pods; they end with podd's service", "error", err)
}

// session follows logind over one connection, until that is lost.
func (w *Watcher) session() (connected bool, err error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	b, err := dial(ctx, w.Bus)
	if err != nil {
		return false, fmt.Errorf("cannot reach the system bus: %w", err)
	}
	defer b.close()
	w.sync(ctx, b)
	for {
		select {
		case s, ok := <-b.signals:
			if !ok {
				return true, errors.New("the connection to the system bus is lost")
			}
			switch b.hear(s) {
			case shutdownStarts:
				w.do(ctx, b, w.state.prepare(true))
			case shutdownCancelled:
				w.do(ctx, b, w.state.prepare(false))
			case logindCame:
				w.sync(ctx, b)
			case logindWent, nothing:
			}
		case end := <-w.ended:
			w.podsEnded(end)
		case <-w.changed:
			w.raiseDelay(ctx, b)
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}

// sync brings podd into line with a logind that it has just found.
func (w *Watcher) sync(ctx context.Context, b *bus) {
	preparing, err := b.preparing(ctx)
	if err == nil {
		err = b.find(ctx)
	}
	if err != nil {
		w.complain(err)
		return
	}
	w.raiseDelay(ctx, b)
	w.do(ctx, b, w.state.connected(preparing))
}

func (w *Watcher) do(ctx context.Context, b *bus, actions []action) {
	for _, a := range actions {
		switch a {
		case takeLock:
			w.take(ctx, b)
		case endPods:
			w.Log.Info("the machine shuts down: ending all pods")
			w.Event("Shutdown manager detected shutdown event")
			w.ends++
			go w.endPods(w.ends)
		case cancelEnd:
			w.Log.Info("the shutdown of the machine is cancelled: running the pods again")
			w.Event("Shutdown manager detected shutdown cancellation")
			if err := w.CancelEnd(ctx); err != nil && ctx.Err() == nil {
				w.Log.Error("cannot run the pods again", "error", err)
			}
		}
	}
}

// endPods outlives the connection. What number it has tells it from the end of an earlier shutdown, which was cancelled.
func (w *Watcher) endPods(number int) {
	if err := w.EndPods(w.ctx); err != nil {
		return // podd ends
	}
	select {
	case w.ended <- number:
	case <-w.ctx.Done():
	}
}

func (w *Watcher) podsEnded(number int) {
	if number == w.ends && w.state.podsEnded() {
		w.Log.Info("all pods have ended: the machine goes on with its shutdown")
		w.release()
	}
}

func (w *Watcher) take(ctx context.Context, b *bus) {
	lock, err := b.inhibit(ctx)
	if err != nil {
		w.complain(err)
		return
	}
	w.release()
	w.lock, w.said = lock, ""
	w.Log.Info("a shutdown of the machine waits for the pods")
}

func (w *Watcher) release() {
	if w.lock != nil {
		_ = w.lock.Close()
		w.lock = nil
	}
}

// raiseDelay lets logind wait long enough for the pods. What is configured already is never made shorter.
func (w *Watcher) raiseDelay(ctx context.Context, b *bus) {
	needed := time.Duration(w.needed.Load())
	if needed == 0 {
		return
	}
	needed += margin
	delay, err := b.delay(ctx)
	if err != nil || delay >= needed {
		return
	}
	if err = w.writeDropIn(needed); err == nil {
		err = b.reload(ctx)
	}
	// It reads the file when it comes to it, and tells nobody.
	for wait := 100 * time.Millisecond; err == nil && delay < needed; wait *= 2 {
		if wait > 2*time.Second {
			err = errors.New("logind has not taken over the drop-in " + dropIn)
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		delay, err = b.delay(ctx)
	}
	if err != nil {
		w.Log.Warn("a shutdown of the machine waits less for the pods than they may need: set InhibitDelayMaxSec= in logind.conf",
			"waits", delay, "needed", needed, "error", err)
	}
}

func (w *Watcher) writeDropIn(delay time.Duration) error {
	if err := os.MkdirAll(w.ConfDir, 0o755); err != nil {
		return fmt.Errorf("cannot write a drop-in of logind: %w", err)
	}
	seconds := (delay + time.Second - 1) / time.Second
	text := fmt.Sprintf("# Written by podd: pods have this long to end, by shutdownGracePeriod.\n[Login]\nInhibitDelayMaxSec=%d\n", seconds)
	if err := atomicfile.Write(filepath.Join(w.ConfDir, dropIn), []byte(text), 0o644); err != nil {
		return fmt.Errorf("cannot write a drop-in of logind: %w", err)
	}
	return nil
}
