package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal that a test types on (man 7 pty).
type Terminal struct {
	master, slave *os.File
	mu            sync.Mutex
	seen          []byte
}

// OpenTerminal makes one of the given size.
func OpenTerminal(rows, columns uint16) (*Terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("cannot unlock the terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("cannot name the terminal: %w", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t := &Terminal{master: master, slave: slave}
	go t.read()
	return t, t.Resize(rows, columns)
}

func (t *Terminal) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := t.master.Read(buffer)
		if err != nil {
			return
		}
		t.mu.Lock()
		t.seen = append(t.seen, buffer[:n]...)
		t.mu.Unlock()
	}
}

// Start runs a command with the terminal as its controlling one.
func (t *Terminal) Start(command *exec.Cmd) error {
	command.Stdin, command.Stdout, command.Stderr = t.slave, t.slave, t.slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return command.Start()
}

// Resize changes the size; the kernel tells the foreground process with SIGWINCH.
func (t *Terminal) Resize(rows, columns uint16) error {
	return unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
}

// Send types.
func (t *Terminal) Send(text string) { _, _ = t.master.WriteString(text) }

// Seen is all that the terminal has shown.
func (t *Terminal) Seen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.seen)
}

// Expect waits until all the texts have been shown.
func (t *Terminal) Expect(limit time.Duration, texts ...string) error {
	return Poll(limit, func() (bool, error) {
		seen := t.Seen()
		for _, text := range texts {
			if !strings.Contains(seen, text) {
				return false, fmt.Errorf("the terminal has not shown %q but:\n%s", text, seen)
			}
		}
		return true, nil
	})
}

// Close hangs up.
func (t *Terminal) Close() {
	_ = t.slave.Close()
	_ = t.master.Close()
}
