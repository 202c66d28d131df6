package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// write never makes a file: one that is missing means a controller that is missing. A signal, which the Go runtime sends to its
// threads at any time, interrupts the kernel before it sets a limit of memory on version 1.
func (t *Tree) write(dir, file, value string) error {
	fd, err := unix.Open(filepath.Join(dir, file), t.openFlag|unix.O_CLOEXEC, 0o644)
	if err == nil {
		_, err = unix.Write(fd, []byte(value))
		for errors.Is(err, unix.EINTR) {
			_, err = unix.Write(fd, []byte(value))
		}
		unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("cannot write %q to %s: %w", value, filepath.Join(dir, file), err)
	}
	return nil
}

func (t *Tree) writeInt(dir, file string, value int64) error {
	return t.write(dir, file, strconv.FormatInt(value, 10))
}

// ensureDir makes one level and tells whether it was new.
func ensureDir(dir string) (made bool, err error) {
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot make cgroup: %w", err)
	}
	return true, nil
}

func exists(path string) bool { return unix.Access(path, unix.F_OK) == nil }

// readUint reads a file with one number. "max" is the largest.
func readUint(dir, file string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	return parseUint(strings.TrimSpace(string(b)))
}

func parseUint(s string) (uint64, error) {
	if s == "max" {
		return ^uint64(0), nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse cgroup value: %w", err)
	}
	return v, nil
}

// readKey reads one line "key number" of a flat keyed file; 0 if the kernel does not have the key.
func readKey(dir, file, key string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	return parseKey(string(b), key)
}

func parseKey(text, key string) (uint64, error) {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, " "); ok && k == key {
			return parseUint(strings.TrimSpace(v))
		}
	}
	return 0, nil
}
