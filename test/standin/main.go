// Command standin runs a daemon as systemd would where there is no systemd: it
// takes notifications, keeps the daemon's descriptors and hands them to the next
// one.
//
//	standin [--restart] [--pid-file FILE] [--record FILE] [--watchdog TIME] [--] COMMAND [ARG...]
//
// With --restart the command is started again whenever it ends, until SIGTERM or
// SIGINT comes. Signals are passed on. The exit status is the command's. --record
// writes down what the command tells, one line for each datagram. With --watchdog
// a command that has been ready and then says nothing for that long is killed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"podd/runtime/fdstore/fdstoretest"
)

// restartDelay is systemd's default RestartSec=.
const restartDelay = 100 * time.Millisecond

func main() {
	restart := flag.Bool("restart", false, "start the command again when it ends")
	pidFile := flag.String("pid-file", "", "write the command's process number to `FILE` at each start")
	record := flag.String("record", "", "write what the command tells to `FILE`")
	patience := flag.Duration("watchdog", 0, "kill a command that does not feed its watchdog for this `TIME`")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: standin [--restart] [--pid-file FILE] [--record FILE] [--watchdog TIME] [--] COMMAND [ARG...]")
		os.Exit(2)
	}
	status, err := run(flag.Args(), *restart, *pidFile, *record, newWatchdog(*patience))
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

// run supervises until the command has ended for good and returns its status.
func run(args []string, restart bool, pidFile, record string, dog *watchdog) (int, error) {
	// A path and no abstract address: those belong to a network namespace, and the
	// command may run in another.
	dir, err := os.MkdirTemp("", "standin-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	supervisor, err := fdstoretest.New(filepath.Join(dir, "notify"))
	if err != nil {
		return 0, err
	}
	defer supervisor.Close()
	notes, err := newNotes(record)
	if err != nil {
		return 0, err
	}
	defer notes.close()
	supervisor.Observe(func(m fdstoretest.Message) {
		notes.add(m)
		dog.hear(m)
	})
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	for {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), dog.environment()...)
		if err := supervisor.Start(cmd); err != nil {
			return 0, err
		}
		dog.guard(cmd.Process)
		if err := writePid(pidFile, cmd.Process.Pid); err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			return 0, err
		}
		status, asked, err := await(cmd, signals)
		dog.guard(nil)
		if err != nil || asked || !restart || pause(signals) {
			removePid(pidFile)
			return status, err
		}
	}
}

// await passes signals on until the command has ended. asked says that one of
// them told it to end.
func await(cmd *exec.Cmd, signals <-chan os.Signal) (status int, asked bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			asked = asked || s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
			cmd.Process.Signal(s)
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, asked, err
			}
			return exitStatus(cmd.ProcessState), asked, nil
		}
	}
}

// pause waits before a restart; it returns true if a signal says to stop instead.
func pause(signals <-chan os.Signal) bool {
	select {
	case s := <-signals:
		return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
	case <-time.After(restartDelay):
		return false
	}
}

// exitStatus is the shell's number: 128 plus the signal for a killed command.
func exitStatus(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}

func writePid(path string, pid int) error {
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path+".new", []byte(strconv.Itoa(pid)+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func removePid(path string) {
	if path == "" {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "standin:", err)
	}
}
