package test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Groups of the configuration may open the sockets: one to do all, one to look. A group that there is not opens nothing.
func TestSocketGroups(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withArgs("--config", configWith(t, "socketGroup: nobody-of-this-name\nsocketReadGroup: \"4711\"\n")))
	b.event("SocketGroupMissing")
	read := strings.TrimSuffix(b.Socket, ".sock") + "-read.sock"
	for path, want := range map[string]struct {
		mode os.FileMode
		gid  uint32
	}{b.Socket: {0o600, 0}, read: {0o660, 4711}} {
		info, err := os.Stat(path)
		b.must(err)
		if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != want.mode || gid != want.gid {
			t.Errorf("%s: mode %v, group %d", filepath.Base(path), info.Mode(), gid)
		}
	}
	b.drop("app", onePod("app", "exit 0", "restartPolicy: Never"))
	b.wait("app", isPhase(corev1.PodSucceeded))
	if out, stderr, code := b.run("get", "pods", "--socket", read); code != 0 || !strings.Contains(out, "Completed") {
		t.Errorf("get: exit %d, %s%s", code, out, stderr)
	}
	if _, stderr, code := b.run("delete", "pod", "app", "--socket", read); code != 1 || !strings.Contains(stderr, "(Forbidden)") {
		t.Errorf("delete: exit %d, %s", code, stderr)
	}
}
