package container

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Exit codes of a shell, and of docker and podman exec, for a program that cannot be run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// ProgramError says that the program of a command cannot be run: it is not in the container, or not executable.
type ProgramError struct {
	Code int    // what a shell exits with
	Text string // what the kernel says of which file
}

func (e *ProgramError) Error() string { return e.Text }

// programError finds out whether an error of libcontainer is about the program; nil: it is not. The process in the container
// sends no more than a text: that of exec.LookPath.
func programError(err error) *ProgramError {
	// exec: "/nope": stat /nope: no such file or directory
	text := err.Error()
	i := strings.LastIndex(text, `exec: "`)
	if i < 0 {
		return nil
	}
	text = text[i:]
	quoted, qerr := strconv.QuotedPrefix(text[len("exec: "):])
	if qerr != nil {
		return nil
	}
	name, _ := strconv.Unquote(quoted)
	words := strings.TrimPrefix(text[len("exec: ")+len(quoted):], ": ")
	words = strings.TrimPrefix(words, "stat "+name+": ")
	code := exitNotExecutable
	switch {
	case strings.HasPrefix(words, "executable file not found in $PATH"), strings.HasPrefix(words, "no such file or directory"):
		code = exitNotFound
	case strings.HasPrefix(words, "permission denied"), strings.HasPrefix(words, "is a directory"), strings.HasPrefix(words, "not a directory"):
	default:
		return nil
	}
	return &ProgramError{Code: code, Text: fmt.Sprintf("cannot run %s: %s", quoted, words)}
}

// spareProcesses is more than podd's init has threads, which count as processes.
const spareProcesses = 12

// processesError says that a cgroup has no room for further processes, if that is so and an error looks like it; nil: it is
// not. The runtime of Go ends without a word where it can start no thread. dirs are those of the container's cgroups.
func processesError(err error, dirs map[string]string) error {
	if err == nil || !looksLikeNoProcess(err.Error()) {
		return nil
	}
	dir := dirs["pids"]
	if dir == "" {
		dir = dirs[""] // version 2
	}
	for ; dir != "" && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		limit, ok := number(filepath.Join(dir, "pids.max"))
		if !ok {
			continue
		}
		if n, ok := number(filepath.Join(dir, "pids.current")); ok && n+spareProcesses >= limit {
			return fmt.Errorf("it has %d processes and threads of the %d that it may have (podPidsLimit), which leaves no room for another command; end some of them, or raise the limit", n, limit)
		}
	}
	return nil
}

func looksLikeNoProcess(text string) bool {
	return slices.ContainsFunc([]string{"procReady not received", "resource temporarily unavailable", "EOF", "broken pipe", "connection reset", "exit status"},
		func(words string) bool { return strings.Contains(text, words) })
}

func number(file string) (int, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return n, err == nil
}
