// Package device finds devices of the machine: what a path on the host leads to, and what matches a rule.
//
// It opens no device: to open one does something.
package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is where the kernel makes the nodes of devices.
const Dir = "/dev"

// Node is a device as its node in a file system says.
type Node struct {
	Kind         string `json:"kind"` // c: character, b: block
	Major, Minor int64
	Mode         uint32 `json:"mode"` // permission bits
	UID, GID     int
}

// Number names the device as devices.list and ls do.
func (n Node) Number() string { return fmt.Sprintf("%s %d:%d", n.Kind, n.Major, n.Minor) }

// SharedGroup is the group that the node is for, if there is one beside root's.
func (n Node) SharedGroup() (gid int, ok bool) { return n.GID, n.GID != 0 && n.Mode&0o060 != 0 }

// ErrNotDevice says of something that it is there and no device.
var ErrNotDevice = errors.New("not a device")

// Stat looks at a device; links are followed. An error that is fs.ErrNotExist says that none is there.
func Stat(name string) (Node, error) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return Node{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	n, ok := nodeOf(&st)
	if !ok {
		return Node{}, fmt.Errorf("%s: %w", name, ErrNotDevice)
	}
	return n, nil
}

func nodeOf(st *unix.Stat_t) (Node, bool) {
	n := Node{Mode: st.Mode & 0o777, UID: int(st.Uid), GID: int(st.Gid), Major: int64(unix.Major(uint64(st.Rdev))), Minor: int64(unix.Minor(uint64(st.Rdev)))}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		n.Kind = "c"
	case unix.S_IFBLK:
		n.Kind = "b"
	default:
		return Node{}, false
	}
	return n, true
}

// Form is what a path of the host means to a container that mounts it.
type Form int

// The forms of paths.
const (
	Other  Form = iota // no device: it is mounted like any folder or file
	File               // a device, or a link to one
	Folder             // a folder of devices: one within /dev, on its file system
	Gone               // within /dev, and nothing is there
)

// FormOf says what a path is. /dev itself, and what holds it, is no folder of devices: who mounts / does not ask for the disks.
func FormOf(name string) Form {
	var st, dev unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		if Within(name) && errors.Is(err, fs.ErrNotExist) {
			return Gone
		}
		return Other
	}
	if _, ok := nodeOf(&st); ok {
		return File
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || !Within(real) {
		return Other
	}
	// /dev/shm, /dev/pts and their like have file systems of their own.
	if err := unix.Stat(Dir, &dev); err != nil || dev.Dev != st.Dev {
		return Other
	}
	return Folder
}

// Within says of a path that it is written below /dev.
func Within(name string) bool { return strings.HasPrefix(path.Clean(name), Dir+"/") }

// Entry is what a folder of devices holds under one name: a device, a link, or a folder (neither).
type Entry struct {
	Node *Node
	Link string // its target as it is written
	// Target is the device that the link leads to, if it leads to one.
	Target *Node
}

// most bounds the entries of a folder of devices.
const most = 4096

// ReadFolder lists a folder of devices with those below it, by their paths in it. Other file systems are not entered, and what
// is neither device nor link nor folder is left out.
func ReadFolder(dir string) (map[string]Entry, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var top unix.Stat_t
	if err := unix.Stat(dir, &top); err != nil {
		return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	out := map[string]Entry{}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		switch {
		case errors.Is(err, fs.ErrNotExist): // unplugged meanwhile
			return nil
		case err != nil:
			return err
		case name == dir:
			return nil
		case unix.Lstat(name, &st) != nil:
			return nil
		case st.Dev != top.Dev:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if len(out) == most {
			return fmt.Errorf("%s holds more than %d names", dir, most)
		}
		if e, ok := entryOf(name, &st); ok {
			rel, _ := filepath.Rel(dir, name)
			out[rel] = e
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read a folder of devices: %w", err)
	}
	return out, nil
}

func entryOf(name string, st *unix.Stat_t) (Entry, bool) {
	if n, ok := nodeOf(st); ok {
		return Entry{Node: &n}, true
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return Entry{}, true
	case unix.S_IFLNK:
		target, err := os.Readlink(name)
		if err != nil {
			return Entry{}, false
		}
		e := Entry{Link: target}
		if n, err := Stat(name); err == nil {
			e.Target = &n
		}
		return e, true
	}
	return Entry{}, false
}
