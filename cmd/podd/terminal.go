package main

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"podd/runtime/api"
)

// terminal is the user's terminal in raw mode: Ctrl-C and all other keys are bytes for the
// command.
type terminal struct {
	file    *os.File
	before  unix.Termios
	sizes   chan api.Size // the size at the start, and each new one
	winches chan os.Signal
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func openTerminal(f *os.File) (*terminal, error) {
	before, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("cannot read the terminal's settings: %w", err)
	}
	t := &terminal{file: f, before: *before, sizes: make(chan api.Size, 1), winches: make(chan os.Signal, 1)}
	raw := makeRaw(*before)
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("cannot make the terminal raw: %w", err)
	}
	signal.Notify(t.winches, unix.SIGWINCH)
	t.measure()
	go func() {
		for range t.winches {
			t.measure()
		}
	}()
	return t, nil
}

// makeRaw does what cfmakeraw(3) does.
func makeRaw(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// measure offers the present size in place of one that was not taken yet.
func (t *terminal) measure() {
	w, err := unix.IoctlGetWinsize(int(t.file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	select {
	case <-t.sizes:
	default:
	}
	t.sizes <- api.Size{Width: w.Col, Height: w.Row}
}

// restore gives the terminal back as it was.
func (t *terminal) restore() error {
	signal.Stop(t.winches)
	close(t.winches)
	if err := unix.IoctlSetTermios(int(t.file.Fd()), unix.TCSETS, &t.before); err != nil {
		return fmt.Errorf("cannot restore the terminal: %w", err)
	}
	return nil
}
