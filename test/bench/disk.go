package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system of its own on a loop device, so that what is written to it is written by what is being
// measured: file data, metadata and journal, as a card would see it.
type disk struct {
	dir, device string
}

// newDisk makes an ext4 file system with further features, "": those that are usual.
func newDisk(dir, features string) (*disk, error) {
	d := &disk{dir: filepath.Join(dir, "disk")}
	file := filepath.Join(dir, "disk.img")
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(file, 4<<30); err != nil {
		return nil, err
	}
	for _, argv := range [][]string{
		// Without the lazy parts the kernel would go on initialising the file system during the measurement.
		{"mkfs.ext4", "-q", "-F", "-O", features, "-E", "lazy_itable_init=0,lazy_journal_init=0", file},
		{"mount", "-o", "loop,noatime", file, d.dir},
	} {
		if output, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", argv[0], err, output)
		}
	}
	var stat unix.Stat_t
	if err := unix.Stat(d.dir, &stat); err != nil {
		return nil, err
	}
	d.device = fmt.Sprintf("%d %d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	return d, nil
}

// written is what has reached the device so far, after everything pending has been sent to it.
func (d *disk) written() (int64, error) {
	unix.Sync()
	for line := range strings.Lines(readString("/proc/diskstats")) {
		fields := strings.Fields(line)
		if len(fields) > 9 && fields[0]+" "+fields[1] == d.device {
			// Field 10 of Documentation/admin-guide/iostats.rst: sectors of 512 bytes.
			sectors, err := strconv.ParseInt(fields[9], 10, 64)
			return sectors * 512, err
		}
	}
	return 0, errors.New("the disk is not in /proc/diskstats")
}

// during is what fn writes.
func (d *disk) during(fn func() error) (int64, error) {
	before, err := d.written()
	if err != nil {
		return 0, err
	}
	if err := fn(); err != nil {
		return 0, err
	}
	time.Sleep(settle)
	after, err := d.written()
	return after - before, err
}

func (d *disk) close() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }
