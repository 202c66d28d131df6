package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// delegation makes room for pods below the cgroup that systemd gives podd.
type delegation struct{ t *Tree }

func (t *Tree) delegation() delegation { return delegation{t} }

// delegate prepares the parent on version 2. A cgroup either has processes or hands controllers
// down, the root excepted (cgroup-v2.rst, "No Internal Process Constraint"): only it lacks
// cgroup.type, which the root of a cgroup namespace has.
func (dg delegation) delegate(own string, hugePages bool) error {
	dir := filepath.Join(dg.t.hierarchies[0].dir, dg.t.parent)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make cgroup: %w", err)
	}
	if own == dg.t.parent && exists(filepath.Join(dir, "cgroup.type")) {
		if err := dg.moveSelf(filepath.Join(dir, leaf)); err != nil {
			return err
		}
	}
	if hugePages && dg.t.lent {
		dg.fetchHugetlb()
	}
	for _, level := range dg.levels() {
		b, err := os.ReadFile(filepath.Join(level, "cgroup.controllers"))
		if err != nil {
			return fmt.Errorf("cannot read controllers: %w", err)
		}
		if dg.t.controllers, err = dg.handDown(level, strings.Fields(string(b))); err != nil {
			return err
		}
	}
	return nil
}

// levels are the cgroups that hand controllers down to kubepods: all from the root on, or only the
// parent where it was delegated and what is above belongs to others.
func (dg delegation) levels() []string {
	levels := dg.fromRoot()
	if dg.t.lent {
		return levels[len(levels)-1:]
	}
	return levels
}

// fromRoot are the cgroups from the root to the parent.
func (dg delegation) fromRoot() []string {
	root := dg.t.hierarchies[0].dir
	dir := filepath.Join(root, dg.t.parent)
	levels := []string{dir}
	for dir != root {
		dir = filepath.Dir(dir)
		levels = append(levels, dir)
	}
	slices.Reverse(levels)
	return levels
}

// fetchHugetlb has what is above the parent hand down the one controller that systemd leaves alone. It limits nobody by
// itself. Where the kernel refuses, limits of huge pages are not held; Controllers tells.
func (dg delegation) fetchHugetlb() {
	levels := dg.fromRoot()
	for _, level := range levels[:len(levels)-1] {
		if dg.t.write(level, "cgroup.subtree_control", "+hugetlb") != nil {
			return
		}
	}
}

func (dg delegation) moveSelf(dir string) error {
	if _, err := ensureDir(dir); err != nil {
		return err
	}
	if err := dg.t.write(dir, "cgroup.procs", "0"); err != nil {
		return fmt.Errorf("cannot move the daemon to its leaf: %w", err)
	}
	dg.t.ownDir = dir
	return nil
}

// handDown lets the children of dir use controllers and returns those that the kernel agreed to:
// it refuses some in some states, as cpu while there are realtime processes.
func (dg delegation) handDown(dir string, controllers []string) ([]string, error) {
	const file = "cgroup.subtree_control"
	if len(controllers) == 0 {
		return nil, nil
	}
	err := dg.t.write(dir, file, "+"+strings.Join(controllers, " +"))
	if err == nil {
		return controllers, nil
	}
	var usable []string
	for _, c := range controllers {
		if dg.t.write(dir, file, "+"+c) == nil {
			usable = append(usable, c)
		}
	}
	if len(usable) > 0 {
		return usable, nil
	}
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%w (processes %s live in that cgroup)", err, residents(dir))
	}
	return nil, err
}

// residents names the processes that keep a cgroup from handing controllers down.
func residents(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b)), ", ")
}
