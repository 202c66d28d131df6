package logind

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"podd/test/lab"
)

// board is a watcher with a logind, and pods that end when the test says so.
type board struct {
	*lab.Logind
	t       *testing.T
	watcher *Watcher
	came    chan func() // the hint of the socket's watch
	calls   chan string
	ended   chan struct{} // an end of the pods takes one
	log     log
}

type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newBoard(t *testing.T) *board {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("hack/deps.sh test installs dbus-daemon")
	}
	l, err := lab.NewLogind(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &board{Logind: l, t: t, calls: make(chan string, 100), ended: make(chan struct{}), came: make(chan func(), 1)}
}

// run starts the watcher. Pods need so long at most.
func (b *board) run(needed time.Duration) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.watcher = New(Options{
		Bus: b.Address, ConfDir: b.ConfDir, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		EndPods: func(ctx context.Context) error {
			b.calls <- "end"
			select {
			case <-b.ended:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		CancelEnd: func(context.Context) error { b.calls <- "cancel"; return nil },
		Event:     func(message string) { b.calls <- message },
		WatchFile: func(ctx context.Context, _ func() string, hint func()) error {
			b.came <- hint
			<-ctx.Done()
			return nil
		},
	})
	b.watcher.Require(needed)
	done := make(chan struct{})
	go func() { b.watcher.Run(ctx); close(done) }()
	b.t.Cleanup(func() { cancel(); <-done })
}

func (b *board) until(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within 30 s; the log:\n%s", what, &b.log)
		}
	}
}

func (b *board) locked(n int) {
	b.t.Helper()
	b.until("locks", func() bool { return b.Locks() == n })
}

// heard waits for calls, in this order.
func (b *board) heard(calls ...string) {
	b.t.Helper()
	for _, want := range calls {
		select {
		case got := <-b.calls:
			if got != want {
				b.t.Fatalf("heard %q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			b.t.Fatalf("not heard within 30 s: %q; the log:\n%s", want, &b.log)
		}
	}
}

func (b *board) prepare(start bool) {
	b.t.Helper()
	if err := b.Prepare(start); err != nil {
		b.t.Fatal(err)
	}
}

const (
	starts    = "Shutdown manager detected shutdown event"
	cancelled = "Shutdown manager detected shutdown cancellation"
)

func TestShutdownWaitsForThePods(t *testing.T) {
	b := newBoard(t)
	b.run(time.Minute)
	b.locked(1)
	if delay, reloads := b.Delay(); delay != time.Minute+margin || reloads != 1 {
		t.Errorf("logind waits %s after %d reloads", delay, reloads)
	}
	b.prepare(true)
	b.heard(starts, "end")
	if b.Locks() != 1 {
		t.Fatal("the machine does not wait")
	}
	b.ended <- struct{}{}
	b.locked(0)
}

func TestCancelledShutdown(t *testing.T) {
	b := newBoard(t)
	b.run(0)
	b.locked(1)
	if delay, reloads := b.Delay(); delay != 5*time.Second || reloads != 0 {
		t.Errorf("nothing is asked for, and logind waits %s after %d reloads", delay, reloads)
	}
	b.prepare(true)
	b.heard(starts, "end")
	b.prepare(false)
	b.heard(cancelled, "cancel")
	b.locked(1)
	// The end of the first shutdown's pods does not release the lock of the second.
	b.prepare(true)
	b.heard(starts, "end")
	b.ended <- struct{}{}
	b.ended <- struct{}{}
	b.locked(0)
	b.prepare(false)
	b.heard(cancelled, "cancel")
	b.locked(1)
}

// What is configured already is enough, or is raised when the settings ask for more.
func TestDelayIsOnlyRaised(t *testing.T) {
	b := newBoard(t)
	if err := os.MkdirAll(b.ConfDir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.run(100 * time.Second)
	b.locked(1)
	b.watcher.Require(50 * time.Second)
	b.watcher.Require(120 * time.Second)
	b.until("more", func() bool { delay, _ := b.Delay(); return delay == 130*time.Second })
	if _, reloads := b.Delay(); reloads != 2 {
		t.Errorf("%d reloads", reloads)
	}
	text, err := os.ReadFile(filepath.Join(b.ConfDir, "99-podd.conf"))
	if err != nil || !strings.Contains(string(text), "[Login]\nInhibitDelayMaxSec=130\n") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestBusIsLost(t *testing.T) {
	b := newBoard(t)
	b.run(0)
	b.locked(1)
	for _, again := range []func() error{b.StopBus, b.StartBus, b.Connect} {
		if err := again(); err != nil {
			t.Fatal(err)
		}
	}
	(<-b.came)()
	b.locked(1)
	b.prepare(true)
	b.heard(starts, "end")
	// It dies during a shutdown: the pods end all the same, and the machine goes on.
	if err := b.StopBus(); err != nil {
		t.Fatal(err)
	}
	b.ended <- struct{}{}
	b.locked(0)
}

// A logind that comes back may have begun or given up a shutdown that nobody has told of.
func TestLogindIsRestarted(t *testing.T) {
	b := newBoard(t)
	b.run(0)
	b.locked(1)
	restart := func(preparing bool) {
		t.Helper()
		if err := b.Disconnect(); err != nil {
			t.Fatal(err)
		}
		b.Preparing(preparing)
		if err := b.Connect(); err != nil {
			t.Fatal(err)
		}
	}
	restart(false)
	b.until("another lock", func() bool { return strings.Count(b.log.String(), "waits for the pods") == 2 })
	b.locked(1)
	restart(true)
	b.heard(starts, "end")
	restart(false)
	b.heard(cancelled, "cancel")
	b.locked(1)
}

func TestNobodyThere(t *testing.T) {
	b := newBoard(t)
	if err := b.Disconnect(); err != nil {
		t.Fatal(err)
	}
	b.run(0)
	b.until("a line", func() bool { return strings.Contains(b.log.String(), "logind does not run") })
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	b.locked(1)

	without := newBoard(t)
	without.Address = "unix:path=" + filepath.Join(t.TempDir(), "bus")
	without.run(0)
	without.until("a line", func() bool { return strings.Contains(without.log.String(), "does not wait for the pods") })
	if n := strings.Count(without.log.String(), "\n"); n != 1 || strings.Contains(without.log.String(), "level=WARN") {
		t.Errorf("a board without a bus:\n%s", &without.log)
	}
}

// Everybody on the machine may send podd a signal.
func TestOnlyLogindIsBelieved(t *testing.T) {
	b := newBoard(t)
	b.run(0)
	b.locked(1)
	stranger, err := dbus.Connect(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	var names []string
	if err := stranger.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m := &dbus.Message{
			Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected,
			Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldPath: dbus.MakeVariant(logindPath), dbus.FieldInterface: dbus.MakeVariant(logindObject),
				dbus.FieldMember: dbus.MakeVariant("PrepareForShutdown"), dbus.FieldDestination: dbus.MakeVariant(name),
				dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(true)),
			},
			Body: []any{true},
		}
		if call := stranger.Send(m, nil); call != nil && call.Err != nil {
			t.Fatal(call.Err)
		}
	}
	// What the bus says later is heard later.
	if err := b.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	b.until("another lock", func() bool { return strings.Count(b.log.String(), "waits for the pods") == 2 })
	if len(b.calls) > 0 {
		t.Errorf("a stranger is believed: %s", <-b.calls)
	}
}
