package executor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
	"podd/runtime/volume"
)

// A container may have a lease on a file that another one takes its environment from: nobody waits for that.
func TestVolumeFileUnderALease(t *testing.T) {
	dirs := &volume.Dirs{Disk: t.TempDir(), Memory: t.TempDir()}
	v := corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	object := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{v}}}
	op := &run{&Executor{Volumes: dirs}, &Operation{Record: &state.Record{UID: "uid", Object: object}}}
	dir, _, err := op.volumePath("v")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := op.volumeFile("v", "env"); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no lease can be had here: %v", err)
	}
	begun := time.Now()
	_, _ = op.volumeFile("v", "env")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it was waited for for %v", took)
	}
}
