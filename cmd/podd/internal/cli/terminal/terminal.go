// Package terminal is the user's terminal while a program in a container has it.
package terminal

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"podd/runtime/api/protocol"
)

// Terminal is the user's terminal in raw mode: Ctrl-C and all other keys are bytes for the program.
type Terminal struct {
	// Sizes has the size at the start, and each new one.
	Sizes   chan protocol.Size
	file    *os.File
	before  *term.State
	winches chan os.Signal
}

// Is says whether a file is a terminal.
func Is(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Open makes a terminal raw.
func Open(f *os.File) (*Terminal, error) {
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot make the terminal raw: %w", err)
	}
	t := &Terminal{file: f, before: before, Sizes: make(chan protocol.Size, 1), winches: make(chan os.Signal, 1)}
	signal.Notify(t.winches, unix.SIGWINCH)
	t.measure()
	go func() {
		for range t.winches {
			t.measure()
		}
	}()
	return t, nil
}

// measure offers the present size in place of one that was not taken yet.
func (t *Terminal) measure() {
	width, height, err := term.GetSize(int(t.file.Fd()))
	if err != nil {
		return
	}
	select {
	case <-t.Sizes:
	default:
	}
	t.Sizes <- protocol.Size{Width: uint16(width), Height: uint16(height)}
}

// Redraw gives sizes that begin with a wrong one: a program that was there before its client draws its screen anew when the
// size of its terminal changes.
func (t *Terminal) Redraw() <-chan protocol.Size {
	sizes := make(chan protocol.Size)
	go func() {
		size := <-t.Sizes
		sizes <- protocol.Size{Width: size.Width + 1, Height: size.Height + 1}
		sizes <- size
		for size := range t.Sizes {
			sizes <- size
		}
	}()
	return sizes
}

// Restore gives the terminal back as it was.
func (t *Terminal) Restore() error {
	signal.Stop(t.winches)
	close(t.winches)
	if err := term.Restore(int(t.file.Fd()), t.before); err != nil {
		return fmt.Errorf("cannot restore the terminal: %w", err)
	}
	return nil
}
