package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A damaged file of an image is found and mended beside the pod that runs from it, which goes on.
func TestImageVerify(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", podOf("app", "", containerOf("main", forever, "")))
	before := b.running("app")
	files, err := filepath.Glob(filepath.Join(b.Root, "images/l/*/bin/busybox"))
	b.must(err)
	if len(files) != 1 {
		t.Fatalf("%q", files)
	}
	if out, _, code := b.run("images", "verify"); code != 0 || !strings.Contains(out, ": whole") {
		t.Fatalf("%d: %s", code, out)
	}
	b.must(os.Chmod(files[0], 0o700))
	if out, _, code := b.run("images", "verify"); code != 1 || !strings.Contains(out, "bin/busybox: attributes") {
		t.Errorf("%d: %s", code, out)
	}
	if out, _, code := b.run("images", "verify", "--repair"); code != 0 || !strings.Contains(out, ": mended") {
		t.Errorf("%d: %s", code, out)
	}
	if st, err := os.Stat(files[0]); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", st, err)
	}
	if after := b.running("app"); after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
		t.Error("the pod was started again")
	}
	if out, _, code := b.run("images", "prune", "--all"); code != 0 || strings.Contains(out, "removed") {
		t.Errorf("%d: %s", code, out)
	}
}
