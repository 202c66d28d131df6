package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A first pod in one line: it is shown what it writes, it ends as its command does, and nothing of it is left.
func TestRunAPod(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	out, stderr, code := b.run("run", "hello", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--rm", "--command", "--", "sh", "-c", "echo hello; exit 3")
	if code != 3 || !strings.Contains(out, "hello\n") {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(b.Manifests, "hello*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if _, stderr, code := b.run("run", "stays", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--command", "--", "sleep", "1000"); code != 0 {
		t.Fatal(stderr)
	}
	b.running("stays")
	if err := os.Remove(filepath.Join(b.Manifests, "stays.yaml")); err != nil {
		t.Fatal(err)
	}
}
