package reexec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"podd/runtime/container/devview"
	"podd/runtime/container/seccomp/filter"
)

// filterFD is where the daemon passes a container's seccomp filter, if it has one: the first of a process's extra files.
const filterFD = 3

// confine has a seccomp filter installed when runc would install it, by libcontainer's init, which leaves it out:
// without no_new_privs when the parent has let it go on and before it gives up its capabilities, of which installing
// needs one, and with no_new_privs as late as can be, so that a profile need not allow what an init does.
//
// libcontainer calls nothing of its users' at these moments, but it logs, and a hook of the log is called by the thread that
// is to be confined. Whatever is logged of the init's last steps comes after it has closed its socket to the parent. If there
// is no filter by then, the command is not run (docs/decisions/025-seccomp.md).
//
// When the parent has let the init go on the container's root is there, and dev is: the standard streams become its.
func confine(dev bool) error {
	first := os.Getenv("_LIBCONTAINER_CONSOLE")
	if first == "" {
		first = os.Getenv("_LIBCONTAINER_INITPIPE")
	}
	if first == "" || first == strconv.Itoa(filterFD) {
		return nil // nothing was passed
	}
	socket, err := strconv.Atoi(os.Getenv("_LIBCONTAINER_SYNCPIPE"))
	if err != nil {
		return fmt.Errorf("cannot tell when to install the seccomp filter: %w", err)
	}
	f, err := filter.Read(filterFD)
	if err != nil {
		return err
	}
	unix.CloseOnExec(filterFD) // libcontainer takes it for one that the command is to have
	logrus.AddHook(&confiner{filter: f, socket: socket, dev: dev})
	return os.Setenv("_LIBCONTAINER_LOGLEVEL", strconv.Itoa(int(logrus.DebugLevel)))
}

// released is what libcontainer logs once the parent has let the init go on.
const released = "read sync type:procRun"

type confiner struct {
	filter    *filter.Filter
	socket    int // libcontainer's, to the parent
	quiet     bool
	dev       bool // podd has made /dev, and the standard streams are not the container's yet
	installed bool
}

func (*confiner) Levels() []logrus.Level { return logrus.AllLevels }

func (c *confiner) Fire(e *logrus.Entry) error {
	if !c.quiet { // libcontainer has set its own by now
		logrus.SetFormatter(warnings{})
		logrus.SetOutput(logPipe{logrus.StandardLogger().Out})
		c.quiet = true
	}
	if c.installed {
		return nil
	}
	if c.dev && strings.HasPrefix(e.Message, released) {
		if err := devview.UseNull(); err != nil {
			panic(fmt.Errorf("cannot use the container's /dev/null: %w", err))
		}
		c.dev = false
	}
	late, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		panic(err)
	}
	_, err = unix.FcntlInt(uintptr(c.socket), unix.F_GETFD, 0)
	closed := errors.Is(err, unix.EBADF)
	switch {
	case closed && c.dev:
		panic(errors.New("the moment to use the container's /dev/null has passed"))
	case late == 0 && closed:
		panic(errors.New("the moment to install the seccomp filter has passed"))
	case late == 0 && strings.HasPrefix(e.Message, released), late != 0 && closed:
		if err := c.filter.Install(); err != nil {
			panic(err) // libcontainer tells the parent, as far as it can
		}
		c.installed = true
	}
	return nil
}

// logPipe is libcontainer's, which it closes before it reports why a command cannot be run: logrus would print on the
// command's stderr that it cannot write a line of which warnings leaves nothing.
type logPipe struct{ io.Writer }

func (p logPipe) Write(line []byte) (int, error) {
	if len(line) == 0 {
		return 0, nil
	}
	return p.Writer.Write(line)
}

// warnings leaves out what libcontainer logs only so that the hook is called.
type warnings struct{}

func (warnings) Format(e *logrus.Entry) ([]byte, error) {
	if e.Level > logrus.WarnLevel {
		return nil, nil
	}
	return new(logrus.JSONFormatter).Format(e)
}
