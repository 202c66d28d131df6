package executor

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// TestLogFoldersAreNoLinks: a pod that has the logs mounted may put a link in the place of a folder of them; podd counts
// no attempts there, removes no files and changes no mode.
func TestLogFoldersAreNoLinks(t *testing.T) {
	rec := &state.Record{UID: "u", Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}}
	for _, link := range []string{"pod", "container"} {
		logs := t.TempDir()
		l := LogFolders{state.Paths{Logs: logs}}
		outside := t.TempDir()
		victim := filepath.Join(outside, "c", "0.log")
		if err := errors.Join(os.Mkdir(filepath.Dir(victim), 0o700), os.WriteFile(victim, nil, 0o600), os.WriteFile(victim+".1", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		pod := l.Paths.PodLogs(rec)
		var err error
		if link == "pod" {
			err = os.Symlink(outside, pod)
		} else {
			err = errors.Join(os.Mkdir(pod, 0o700), os.Symlink(filepath.Dir(victim), filepath.Join(pod, "c")))
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := l.lastAttempt(rec, "c"); n != -1 {
			t.Errorf("%s: attempts are counted: %d", link, n)
		}
		if err := l.dropOld(rec, "c", keptAttempts); err == nil {
			t.Errorf("%s: nobody is told", link)
		}
		if link == "pod" {
			if err := l.markRemoved(rec); err == nil {
				t.Error("nobody is told")
			}
		}
		_ = l.takeMark(rec)
		for _, path := range []string{victim, victim + ".1"} {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", link, err)
			}
		}
		if info, err := os.Stat(outside); err != nil || info.Mode()&removedMark != 0 {
			t.Errorf("%s: the folder has mode %v, %v", link, info.Mode(), err)
		}
		// The next sandbox has a folder of its own.
		if err := sandbox.MakeLogFolder(pod); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(pod); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestAttemptsAndMarksOfLogs(t *testing.T) {
	rec := &state.Record{UID: "u", Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}}
	logs := t.TempDir()
	l := LogFolders{state.Paths{Logs: logs}}
	if err := l.markRemoved(rec); err != nil {
		t.Errorf("a pod that never had a log: %v", err)
	}
	dir := l.Paths.ContainerLogs(rec, "c")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0.log", "0.log.20260101-000000.gz", "1.log", "2.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.dropOld(rec, "c", 2); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 || l.lastAttempt(rec, "c") != 2 {
		t.Errorf("%v, last %d", left, l.lastAttempt(rec, "c"))
	}
	if err := l.markRemoved(rec); err != nil {
		t.Error(err)
	}
	if !l.takeMark(rec) || l.takeMark(rec) {
		t.Error("the mark is taken once")
	}
}

// TestOldLogsOfAnyDepth: a pod that has the logs mounted may make a tree there that is deeper than podd may have files open.
// It is removed as other logs are, and no pod's removal waits for it.
func TestOldLogsOfAnyDepth(t *testing.T) {
	l := LogFolders{state.Paths{Logs: t.TempDir()}}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1024, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) })

	rec := &state.Record{UID: "u", Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}}
	if err := os.Mkdir(l.Paths.PodLogs(rec), 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * keptRemovedFor)
	for _, name := range []string{"default_deep_1", "default_other_2"} {
		path := filepath.Join(l.Paths.Logs, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		makeDeep(t, path, 2000)
		if err := errors.Join(os.Chmod(path, 0o755|removedMark), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.removePod(rec, false); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(l.Paths.Logs)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(l.Paths.PodLogs(rec)) {
		t.Errorf("what is left: %v, %v", entries, err)
	}
}

// makeDeep makes folders in one another, from the innermost outwards, with few open files.
func makeDeep(t *testing.T, dir string, depth int) {
	t.Helper()
	for range depth {
		outer := filepath.Join(dir, "outer")
		if err := os.Mkdir(outer, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "d")); err == nil {
			if err := os.Rename(filepath.Join(dir, "d"), filepath.Join(outer, "d")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(outer, filepath.Join(dir, "d")); err != nil {
			t.Fatal(err)
		}
	}
}
