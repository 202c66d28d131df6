package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
)

// errUnmounted is returned when the folder is empty and on another file system than its manifests were: it is the
// mount point of a card that has been taken out.
var errUnmounted = errors.New("its file system is not mounted; mount it again, or put manifests here")

// gone is the Set of a folder that is not there. It removes nothing.
func (f *Folder) gone(err error) manifest.Set {
	text := fmt.Sprintf("it cannot be read: %v", err)
	switch {
	case errors.Is(err, errUnmounted):
		text = err.Error()
	case errors.Is(err, fs.ErrNotExist):
		text = "it does not exist; create it, or mount its file system"
	case errors.Is(err, syscall.ENOTDIR):
		text = "it is a file; put the folder back"
		if _, err := os.Lstat(f.o.Dir); err != nil {
			text = "a part of its path is a file; put the folder back"
		}
	}
	switch n := len(f.last.Pods); {
	case n == 1:
		text += " (1 pod stays until then)"
	case n > 1:
		text += fmt.Sprintf(" (%d pods stay until then)", n)
	}
	return manifest.Set{
		Pods: f.last.Pods, Objects: f.last.Objects, Gone: true,
		Problems: []manifest.Problem{{File: f.o.Dir, Reason: manifest.ReasonFolder, Message: "manifest folder " + f.o.Dir + ": " + text}},
	}
}

// checkDevice tells an emptied folder from the mount point of an unmounted file system, and remembers on which
// file system the folder is. An empty folder is taken for what it is as long as there are no pods to lose.
func (f *Folder) checkDevice(empty bool) error {
	st, err := stat(f.o.Dir)
	if err != nil {
		return err
	}
	if !f.scanned && f.device == 0 {
		f.device = f.loadDevice()
	}
	if empty && f.device != 0 && st.Dev != f.device && len(f.last.Pods)+len(f.last.Objects) > 0 {
		return errUnmounted
	}
	if st.Dev != f.device {
		f.device = st.Dev
		f.saveDevice()
	}
	return nil
}

// deviceFile remembers the file system over a restart of podd. It is written when that changes, at most once a boot.
func (f *Folder) deviceFile() string { return filepath.Join(f.o.CacheDir, "folder-device") }

// maxDevice is more than the number of a device has, in bytes.
const maxDevice = 64

func (f *Folder) loadDevice() uint64 {
	if f.o.CacheDir == "" {
		return 0
	}
	var device uint64
	err := atomicfile.Load(f.deviceFile(), maxDevice, func(data []byte) (err error) {
		device, err = strconv.ParseUint(string(data), 10, 64)
		return err
	})
	f.o.Damaged.Of(err, "an empty folder of manifests is believed once, also if its file system is not mounted")
	return device
}

func (f *Folder) saveDevice() {
	if f.o.CacheDir != "" && f.loadDevice() != f.device {
		// Not remembering costs only the protection of one restart without the card.
		_ = atomicfile.WriteSync(f.deviceFile(), strconv.AppendUint(nil, f.device, 10), 0o600)
	}
}
