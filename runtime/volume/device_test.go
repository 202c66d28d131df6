package volume

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// exchange puts a device that no driver has in the place of a file and back, until the test ends: it is an error to open
// the device. It returns the folder of both.
func exchange(t *testing.T) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	file, device := filepath.Join(dir, "file"), filepath.Join(t.TempDir(), "device")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(240, 77))); err != nil {
		t.Skipf("no device can be made here: %v", err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, device, unix.RENAME_EXCHANGE)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return dir
}

// A container may make devices and open none of them. It gets podd to do it no more by being fast.
func TestBackupOpensNoDevice(t *testing.T) {
	dir := exchange(t)
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		must(t, Backup(dir, io.Discard))
	}
}

func TestOpenDataOpensNoDevice(t *testing.T) {
	dir := exchange(t)
	parent, err := openFolder(unix.AT_FDCWD, dir, 0)
	must(t, err)
	defer closeFD(parent)
	opened := 0
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		fd, err := openData(parent, "file")
		must(t, ignoreGone(err))
		if err == nil {
			opened++
			closeFD(fd)
		}
	}
	if opened == 0 {
		t.Error("the file was never opened either")
	}
}
