package logind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// https://www.freedesktop.org/software/systemd/man/org.freedesktop.login1.html
const (
	logindName   = "org.freedesktop.login1"
	logindPath   = dbus.ObjectPath("/org/freedesktop/login1")
	logindObject = "org.freedesktop.login1.Manager"

	nameUnknown = "org.freedesktop.DBus.Error.ServiceUnknown"

	// callLimit is how long an answer may take: logind may just be starting.
	callLimit = 30 * time.Second
)

// errNoLogind: there is a bus, and nobody on it who knows of shutdowns.
var errNoLogind = errors.New("logind does not run")

// bus is one connection to the system bus.
type bus struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal // closed with the connection
	owner   string            // of logind's name; "": nobody
}

// dial connects, and listens to logind. The connection ends with ctx.
func dial(ctx context.Context, address string) (*bus, error) {
	conn, err := dbus.Connect(address, dbus.WithContext(ctx), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, err
	}
	b := &bus{conn: conn, signals: make(chan *dbus.Signal, 8)}
	conn.Signal(b.signals)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, logindName))
	if err == nil {
		err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(logindName), dbus.WithMatchObjectPath(logindPath),
			dbus.WithMatchInterface(logindObject), dbus.WithMatchMember("PrepareForShutdown"))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return b, nil
}

func (b *bus) close() { _ = b.conn.Close() }

func (b *bus) call(ctx context.Context, dest string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return b.conn.Object(dest, path).CallWithContext(ctx, method, 0, args...)
}

// property reads one of logind's, and starts it if the bus knows how.
func (b *bus) property(ctx context.Context, name string, value any) error {
	err := b.call(ctx, logindName, logindPath, "org.freedesktop.DBus.Properties.Get", logindObject, name).Store(value)
	var refused dbus.Error
	if errors.As(err, &refused) && refused.Name == nameUnknown {
		return errNoLogind
	}
	if err != nil {
		return fmt.Errorf("cannot read %s of logind: %w", name, err)
	}
	return nil
}

// find learns who logind is, so that nobody else is taken for it: everybody may send signals.
func (b *bus) find(ctx context.Context) error {
	return b.call(ctx, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.GetNameOwner", logindName).Store(&b.owner)
}

// delay is how long logind waits for inhibitors.
func (b *bus) delay(ctx context.Context) (time.Duration, error) {
	var usec uint64
	err := b.property(ctx, "InhibitDelayMaxUSec", &usec)
	return time.Duration(usec) * time.Microsecond, err
}

// preparing says whether a shutdown has been announced.
func (b *bus) preparing(ctx context.Context) (now bool, err error) {
	err = b.property(ctx, "PreparingForShutdown", &now)
	return now, err
}

// reload lets logind read its configuration again, which it does a moment later.
func (b *bus) reload(ctx context.Context) error {
	call := b.call(ctx, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.KillUnit",
		"systemd-logind.service", "main", int32(unix.SIGHUP))
	return call.Err
}

// inhibit takes a lock that shutdowns wait for until it is closed. It outlives the connection.
func (b *bus) inhibit(ctx context.Context) (*os.File, error) {
	var fd dbus.UnixFD
	if err := b.call(ctx, logindName, logindPath, logindObject+".Inhibit", "shutdown", "podd", "Pods have to end first", "delay").Store(&fd); err != nil {
		return nil, fmt.Errorf("cannot take an inhibitor lock: %w", err)
	}
	return os.NewFile(uintptr(fd), "inhibitor lock"), nil
}

// heard is what a signal says.
type heard int

const (
	nothing heard = iota
	shutdownStarts
	shutdownCancelled
	logindCame
	logindWent
)

func (b *bus) hear(s *dbus.Signal) heard {
	switch {
	case s.Name == "org.freedesktop.DBus.NameOwnerChanged" && s.Sender == "org.freedesktop.DBus":
		var name, before, now string
		if dbus.Store(s.Body, &name, &before, &now) != nil || name != logindName {
			return nothing
		}
		if b.owner = now; now == "" {
			return logindWent
		}
		return logindCame
	case s.Name == logindObject+".PrepareForShutdown" && b.owner != "" && s.Sender == b.owner:
		var start bool
		if dbus.Store(s.Body, &start) != nil {
			return nothing
		}
		if start {
			return shutdownStarts
		}
		return shutdownCancelled
	}
	return nothing
}
