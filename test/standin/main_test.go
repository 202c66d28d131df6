package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the stand-in too.
func TestMain(m *testing.M) {
	if os.Getenv("STANDIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

func standin(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "STANDIN=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	return cmd
}

func TestExitStatus(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		cmd := standin(t, "--", "sh", "-c", script)
		cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: status %d, want %d", script, got, want)
		}
	}
	for _, args := range [][]string{{}, {"/nowhere/command"}} {
		cmd := standin(t, args...)
		cmd.Stderr = nil
		if err := cmd.Run(); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}

// TestRestart kills the command, sees the next one, and ends it with a signal.
func TestRestart(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	cmd := standin(t, "--restart", "--pid-file", pidFile, "--",
		"sh", "-c", `trap 'echo ended; exit 3' TERM; test -S "$NOTIFY_SOCKET" && echo up $$; while :; do sleep 0.05; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	first := pidOf(t, lines)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := pidOf(t, lines)
	// It is written beside the start of the command, so maybe a moment after its first word.
	deadline := time.Now().Add(20 * time.Second)
	for data := ""; data != strconv.Itoa(second)+"\n"; {
		got, err := os.ReadFile(pidFile)
		if data = string(got); time.Now().After(deadline) {
			t.Fatalf("process file has %q, %v; the process is %d", data, err, second)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "ended" {
		t.Errorf("the signal was not passed on: %q", lines.Text())
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 3 {
		t.Errorf("status %d", got)
	}
	if _, err := os.Stat(pidFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("process file is left: %v", err)
	}
}

func pidOf(t *testing.T, lines *bufio.Scanner) int {
	t.Helper()
	if !lines.Scan() {
		t.Fatal("the command does not begin")
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "up "))
	if err != nil {
		t.Fatalf("unexpected line %q", lines.Text())
	}
	return pid
}
