package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// Groups of the configuration may open the sockets: one to do all, one to look. A group that there is not opens nothing.
func TestSocketGroups(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithArgs("--config", harness.ConfigWith(t, "socketGroup: nobody-of-this-name\nsocketReadGroup: \"4711\"\n")))
	b.Event("SocketGroupMissing")
	read := strings.TrimSuffix(b.Socket, ".sock") + "-read.sock"
	for path, want := range map[string]struct {
		mode os.FileMode
		gid  uint32
	}{b.Socket: {0o600, 0}, read: {0o660, 4711}} {
		info, err := os.Stat(path)
		b.Must(err)
		if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != want.mode || gid != want.gid {
			t.Errorf("%s: mode %v, group %d", filepath.Base(path), info.Mode(), gid)
		}
	}
	b.MustDrop("app", harness.OnePod("app", "exit 0", "restartPolicy: Never"))
	b.WaitPod("app", harness.IsPhase(corev1.PodSucceeded))
	if out, stderr, code := b.RunCLI("get", "pods", "--socket", read); code != 0 || !strings.Contains(out, "Completed") {
		t.Errorf("get: exit %d, %s%s", code, out, stderr)
	}
	if _, stderr, code := b.RunCLI("delete", "pod", "app", "--socket", read); code != 1 || !strings.Contains(stderr, "(Forbidden)") {
		t.Errorf("delete: exit %d, %s", code, stderr)
	}
}
