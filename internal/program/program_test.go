package program

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/podd's")
	t.Setenv("KEPT", "yes")
	r, err := Run(t.Context(), Command{
		Path: script(t, `cat; echo "$1 $NOTIFY_SOCKET$KEPT$MORE"; pwd; echo bad >&2; exit 3`),
		Args: []string{"-name"}, Env: []string{"MORE=1"}, Stdin: []byte("in\n"),
	})
	if err != nil || r.ExitCode != 3 || string(r.Stdout) != "in\n-name yes1\n/\n" || string(r.Stderr) != "bad\n" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Run(t.Context(), Command{Path: script(t, "kill -TERM $$")}); err != nil || r.ExitCode != 128+15 {
		t.Errorf("killed: %+v, %v", r, err)
	}
	if _, err := Run(t.Context(), Command{Path: "/nothing"}); err == nil || !strings.HasPrefix(err.Error(), "cannot run /nothing: no such") {
		t.Errorf("nothing: %v", err)
	}
}

// Neither much output nor input that nobody reads stops anything.
func TestRunBoundsWhatIsSaid(t *testing.T) {
	r, err := Run(t.Context(), Command{
		Path: script(t, "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"), MaxOutput: 10, Stdin: make([]byte, 1<<20),
	})
	if err != nil || len(r.Stdout) != 10 || len(r.Stderr) != 10 || !r.Truncated {
		t.Errorf("%d, %d, %v, %v", len(r.Stdout), len(r.Stderr), r.Truncated, err)
	}
}

// A program goes with its context and takes its children, which would hold the pipes.
func TestRunEnds(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	for name, text := range map[string]string{
		"with a child":  "sleep 1000 & echo $! >" + pids + "; sleep 1000",
		"pipes closed":  "exec <&- >&- 2>&-; echo $$ >" + pids + "; exec sleep 1000",
		"orphaned pipe": "sleep 1000 & echo $! >" + pids + "; exit 0",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		path := script(t, text)
		go func() {
			for {
				if data, err := os.ReadFile(pids); err == nil && len(data) > 1 || ctx.Err() != nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		_, err := Run(ctx, Command{Path: path})
		if err == nil {
			t.Errorf("%s: it ended by itself", name)
		}
		cancel()
		pid, _ := os.ReadFile(pids)
		for {
			stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
			if err != nil || strings.Contains(string(stat), ") Z") {
				break
			}
			time.Sleep(time.Millisecond)
		}
		_ = os.Remove(pids)
	}
}
