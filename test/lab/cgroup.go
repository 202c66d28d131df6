package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cgroup is one cgroup, of the same path in every hierarchy of this machine.
type Cgroup struct {
	path string            // below each mount
	dirs map[string]string // controllers → folder
}

// NewCgroup makes a cgroup below the root of each hierarchy. Not below this process's own: with version 2 a cgroup that
// holds processes cannot hand controllers down (man 7 cgroups, "no internal processes").
func NewCgroup(name string) (*Cgroup, error) {
	c, err := openCgroup("/" + name)
	if err != nil {
		return nil, err
	}
	return c, c.make()
}

// openCgroup knows the cgroup of a path, whether it is there or not.
func openCgroup(path string) (*Cgroup, error) {
	mounts, err := readHierarchies()
	if err != nil {
		return nil, err
	}
	c := &Cgroup{path: path, dirs: map[string]string{}}
	for controllers, mount := range mounts {
		c.dirs[controllers] = filepath.Join(mount, path)
	}
	return c, nil
}

// Path is the cgroup's as /proc/PID/cgroup spells it.
func (c *Cgroup) Path() string { return c.path }

// Child makes a cgroup below c.
func (c *Cgroup) Child(name string) (*Cgroup, error) {
	child := &Cgroup{path: filepath.Join(c.path, name), dirs: map[string]string{}}
	for controllers, dir := range c.dirs {
		child.dirs[controllers] = filepath.Join(dir, name)
	}
	return child, child.make()
}

func (c *Cgroup) make() error {
	for controllers, dir := range c.dirs {
		if controllers == "" {
			handDown(filepath.Dir(dir))
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make cgroup %s: %w", dir, err)
		}
		if controllers == "cpuset" {
			// A new cpuset of version 1 is empty and takes no process until it has CPUs and memory nodes.
			inherit(dir, "cpuset.cpus")
			inherit(dir, "cpuset.mems")
		}
	}
	return nil
}

// handDown enables what can be enabled; the hybrid mode's version 2 hierarchy has no controllers at all.
func handDown(dir string) {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for name := range strings.FieldsSeq(string(available)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
}

func inherit(dir, file string) {
	if value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, file), value, 0)
	}
}

// Wrap makes a command line that runs argv in c from its first instruction on: joining after the start would count
// what ran before elsewhere.
func (c *Cgroup) Wrap(argv []string) []string {
	script := ""
	for _, dir := range slices.Sorted(mapValues(c.dirs)) {
		script += "echo 0 >" + dir + "/cgroup.procs; "
	}
	return append([]string{"/bin/sh", "-c", script + `exec "$@"`, "sh"}, argv...)
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// Pids are all processes in c and below.
func (c *Cgroup) Pids() []int {
	seen := map[int]bool{}
	for _, dir := range c.dirs {
		for _, sub := range below(dir) {
			data, _ := os.ReadFile(filepath.Join(sub, "cgroup.procs"))
			for field := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					seen[pid] = true
				}
			}
		}
	}
	var pids []int
	for pid := range seen {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// Below lists the cgroups under c, in any hierarchy.
func (c *Cgroup) Below() []string {
	var list []string
	for _, dir := range c.dirs {
		list = append(list, below(dir)[1:]...)
	}
	slices.Sort(list)
	return list
}

// below lists dir and the cgroups under it, parents first.
func below(dir string) []string {
	list := []string{dir}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != dir {
			list = append(list, path)
		}
		return nil
	})
	return list
}

// CPU is the processor time that c and everything below has used so far, ended processes included.
func (c *Cgroup) CPU() (time.Duration, error) {
	for controllers, dir := range c.dirs {
		if !slices.Contains(strings.Split(controllers, ","), "cpuacct") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, "cpuacct.usage"))
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		return time.Duration(ns), err
	}
	data, err := os.ReadFile(filepath.Join(c.dirs[""], "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, errors.New("no CPU accounting in any cgroup hierarchy")
}

// Close kills what is in c and removes it with everything below.
func (c *Cgroup) Close() error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids := c.Pids()
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 {
			if err := c.remove(); err == nil {
				return nil
			} else if time.Now().After(deadline) {
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v survive SIGKILL", pids)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *Cgroup) remove() error {
	for _, dir := range c.dirs {
		list := below(dir)
		slices.Reverse(list)
		for _, sub := range list {
			if err := os.Remove(sub); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
