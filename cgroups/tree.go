package cgroups

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Options say where to look. The zero value is right on a real machine.
type Options struct {
	Root     string // default /sys/fs/cgroup
	ProcSelf string // default /proc/self
	// Parent is the cgroup path below which kubepods is made. "" is the first of these that there is: Unit,
	// the daemon's own cgroup where systemd has delegated it (Delegate=yes), and the root, as with kubelet.
	Parent string
	// Unit is the cgroup path of a unit that systemd delegates for the pods alone; "" or absent: there is none.
	Unit string
	// HugePages has the controller hugetlb handed down to Parent from the root on also where systemd delegates it: systemd
	// knows nothing of this controller, neither gives nor takes it. As a kubelet and runc do it.
	HugePages bool
}

// Tree is the cgroups of all pods. Its methods may be called at the same time.
type Tree struct {
	version     int
	parent      string // cgroup path
	lent        bool   // parent belongs to a unit of systemd that delegates it
	ownDir      string // the daemon's own cgroup, in one of the hierarchies
	hierarchies []hierarchy
	controllers []string // v2: what pods can use
	procSelf    string
	openFlag    int // for writing; cgroupfs makes files itself, a folder in a test does not

	mu       sync.Mutex
	tiers    map[string]bool // paths that this process has made sure of
	removals *removals       // nil: nobody is told of removals
}

// hierarchy is one mounted tree of cgroups.
type hierarchy struct {
	dir   string   // mount point
	names []string // v1: controllers and name=X; v2: none
	v2    bool     // has cgroup.events and cgroup.kill
}

// Open finds the hierarchies and, on version 2, moves the daemon out of the way into the leaf
// "podd" (a cgroup with processes cannot hand controllers down) and hands controllers down.
func Open(o Options) (*Tree, error) { return open(o, os.O_WRONLY) }

func open(o Options, openFlag int) (*Tree, error) {
	if o.Root == "" {
		o.Root = "/sys/fs/cgroup"
	}
	if o.ProcSelf == "" {
		o.ProcSelf = "/proc/self"
	}
	t := &Tree{version: 1, procSelf: o.ProcSelf, openFlag: openFlag, tiers: map[string]bool{}}
	if exists(filepath.Join(o.Root, "cgroup.controllers")) {
		t.version = 2
		t.hierarchies = []hierarchy{{dir: o.Root, v2: true}}
	}
	own, err := t.locate(o)
	if err != nil {
		return nil, err
	}
	if t.version == 2 {
		if err := t.delegation().delegate(own, o.HugePages); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Parent is the cgroup path below which kubepods is.
func (t *Tree) Parent() string { return t.parent }

// Version is 1, also for hybrid, or 2.
func (t *Tree) Version() int { return t.version }

// Controllers are those that limits of pods can use, sorted.
func (t *Tree) Controllers() []string {
	names := slices.Clone(t.controllers)
	for _, h := range t.hierarchies {
		names = append(names, h.names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// kubepods is the path of the tree's top.
func (t *Tree) kubepods() string { return path.Join(t.parent, "kubepods") }

// dirFor is where the files of a controller are for a cgroup path.
func (t *Tree) dirFor(controller, cgroup string) (string, error) {
	if t.version == 2 {
		if !slices.Contains(t.controllers, controller) {
			return "", fmt.Errorf("%w: %s", ErrNoController, controller)
		}
		return filepath.Join(t.hierarchies[0].dir, cgroup), nil
	}
	for _, h := range t.hierarchies {
		if slices.Contains(h.names, controller) {
			return filepath.Join(h.dir, cgroup), nil
		}
	}
	return "", fmt.Errorf("%w: %s", ErrNoController, controller)
}

// dirs are the folders of a cgroup path in all hierarchies.
func (t *Tree) dirs(cgroup string) []string {
	dirs := make([]string, len(t.hierarchies))
	for i, h := range t.hierarchies {
		dirs[i] = filepath.Join(h.dir, cgroup)
	}
	return dirs
}

// eventDir is the folder that has cgroup.events and cgroup.kill, "" on plain version 1.
func (t *Tree) eventDir(cgroup string) string {
	for _, h := range t.hierarchies {
		if h.v2 {
			return filepath.Join(h.dir, cgroup)
		}
	}
	return ""
}
