package fdstoretest

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// announce sets $LISTEN_PID, which only the process itself knows before it
// becomes the command.
const announce = `LISTEN_PID=$$; export LISTEN_PID; exec "$@"`

// Start starts cmd with the notify socket and with a duplicate of every kept
// descriptor, from number 3 on, as systemd starts a unit. cmd must not have been
// started and must have no ExtraFiles. The process is cmd's own: its number is
// cmd.Process.Pid.
func (s *Supervisor) Start(cmd *exec.Cmd) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	names, files, err := s.duplicates()
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("cannot hand the descriptors to %s: %w", cmd.Path, err)
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+s.socket)
	cmd.ExtraFiles = files
	if len(files) > 0 {
		cmd.Env = append(cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
		cmd.Args = append([]string{"sh", "-c", announce, "sh", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = shell
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	return nil
}

// duplicates lists the kept descriptors under new numbers. They become os.Files
// only for the moment of the start: the runtime polls nonblocking ones, and a
// supervisor that wakes at each byte of a container's log would disturb a bench.
func (s *Supervisor) duplicates() (names []string, files []*os.File, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.store {
		fd, err := unix.FcntlInt(uintptr(k.fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, files, err
		}
		names = append(names, k.name)
		files = append(files, os.NewFile(uintptr(fd), k.name))
	}
	return names, files, nil
}
