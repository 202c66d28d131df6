package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	login1     = "org.freedesktop.login1"
	login1Path = dbus.ObjectPath("/org/freedesktop/login1")
)

// Logind speaks as systemd-logind does of shutdowns, on a bus of its own. Its methods may be called by any goroutine.
type Logind struct {
	Address string // of the bus
	ConfDir string // of drop-ins, which it reads when it is told to

	dir    string
	daemon *exec.Cmd
	conn   *dbus.Conn

	mu        sync.Mutex
	delay     time.Duration
	preparing bool
	reloads   int
	down      []string   // how the machine was asked to go down
	locks     []*os.File // the ends of the locks that are given out
}

// NewLogind starts a bus and a logind, below dir.
func NewLogind(dir string) (*Logind, error) {
	l := &Logind{dir: dir, Address: "unix:path=" + filepath.Join(dir, "bus"), ConfDir: filepath.Join(dir, "logind.conf.d"), delay: 5 * time.Second}
	return l, errors.Join(l.StartBus(), l.Connect())
}

// StartBus starts the bus, which listens when it returns.
func (l *Logind) StartBus() error {
	config := filepath.Join(l.dir, "bus.conf")
	text := `<busconfig><listen>` + l.Address + `</listen><auth>EXTERNAL</auth><policy context="default">
		<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(l.dir, "bus"))
	l.daemon = exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	out, err := l.daemon.StdoutPipe()
	if err != nil {
		return err
	}
	if err := l.daemon.Start(); err != nil {
		return err
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	return err
}

// StopBus ends the bus, and with it all connections.
func (l *Logind) StopBus() error {
	err := l.daemon.Process.Kill()
	_ = l.daemon.Wait()
	return err
}

// Connect lets logind appear on the bus.
func (l *Logind) Connect() error {
	conn, err := dbus.Connect(l.Address)
	if err != nil {
		return err
	}
	l.conn = conn
	err = errors.Join(
		conn.Export(login1Manager{l}, login1Path, login1+".Manager"),
		conn.Export(login1Properties{l}, login1Path, "org.freedesktop.DBus.Properties"),
		conn.Export(systemd1Manager{l}, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"),
	)
	for _, name := range []string{login1, "org.freedesktop.systemd1"} {
		if _, nameErr := conn.RequestName(name, dbus.NameFlagDoNotQueue); nameErr != nil {
			err = errors.Join(err, nameErr)
		}
	}
	return err
}

// Disconnect lets logind die. Locks that it has given out are locks still.
func (l *Logind) Disconnect() error { return l.conn.Close() }

// Close ends everything.
func (l *Logind) Close() error { return errors.Join(l.Disconnect(), l.StopBus()) }

// Prepare announces a shutdown, or takes it back.
func (l *Logind) Prepare(start bool) error {
	l.mu.Lock()
	l.preparing = start
	l.mu.Unlock()
	return l.conn.Emit(login1Path, login1+".Manager.PrepareForShutdown", start)
}

// Preparing sets what logind says of itself, and tells nobody.
func (l *Logind) Preparing(now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.preparing = now
}

// Locks is how many locks are held.
func (l *Logind) Locks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.locks[:0]
	for _, end := range l.locks {
		_ = end.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := end.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
			_ = end.Close()
		} else {
			held = append(held, end)
		}
	}
	l.locks = held
	return len(held)
}

// SetDelay sets how long logind waits for locks, as its configuration would.
func (l *Logind) SetDelay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Delay is how long logind waits for locks, and how often it was told to read its configuration.
func (l *Logind) Delay() (delay time.Duration, reloads int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.delay, l.reloads
}

type login1Manager struct{ l *Logind }

func (m login1Manager) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	if what != "shutdown" || mode != "delay" || who == "" || why == "" {
		return 0, dbus.MakeFailedError(fmt.Errorf("not a lock of podd's: %q %q %q %q", what, who, why, mode))
	}
	if m.l.preparing {
		return 0, dbus.NewError(login1+".OperationInProgress", nil)
	}
	mine, theirs, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	m.l.locks = append(m.l.locks, mine)
	// The answer is sent after the return, and nobody says when.
	fd := dbus.UnixFD(theirs.Fd())
	time.AfterFunc(time.Second, func() { _ = theirs.Close() })
	return fd, nil
}

func (m login1Manager) Reboot(bool) *dbus.Error { return m.l.goDown("Reboot") }

func (m login1Manager) PowerOff(bool) *dbus.Error { return m.l.goDown("PowerOff") }

func (l *Logind) goDown(way string) *dbus.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.preparing {
		return dbus.NewError(login1+".OperationInProgress", []any{"a shutdown is under way"})
	}
	l.down = append(l.down, way)
	return nil
}

// WentDown is how the machine was asked to go down.
func (l *Logind) WentDown() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.down)
}

type login1Properties struct{ l *Logind }

func (p login1Properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	switch name {
	case "InhibitDelayMaxUSec":
		return dbus.MakeVariant(uint64(p.l.delay / time.Microsecond)), nil
	case "PreparingForShutdown":
		return dbus.MakeVariant(p.l.preparing), nil
	}
	return dbus.Variant{}, dbus.MakeFailedError(fmt.Errorf("no property %q", name))
}

type systemd1Manager struct{ l *Logind }

var delaySeconds = regexp.MustCompile(`(?m)^\[Login\]\nInhibitDelayMaxSec=(\d+)$`)

func (m systemd1Manager) KillUnit(unit, who string, signal int32) *dbus.Error {
	if unit != "systemd-logind.service" || who != "main" || signal != int32(unix.SIGHUP) {
		return dbus.MakeFailedError(fmt.Errorf("%s, %s, %d", unit, who, signal))
	}
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.l.reloads++
	files, _ := filepath.Glob(filepath.Join(m.l.ConfDir, "*.conf"))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		if found := delaySeconds.FindStringSubmatch(strings.TrimSpace(string(data))); found != nil {
			n, _ := strconv.Atoi(found[1])
			m.l.delay = time.Duration(n) * time.Second
		}
	}
	return nil
}
