package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/cmd/podd/internal/config"
	"podd/internal/atomicfile"
	"podd/internal/filelock"
)

// machineLocks is where the locks are on what daemons with folders of their own would share. Only root comes in: what
// another user could lock, he could keep podd from (CVE-2020-15257 is of such names).
const machineLocks = "/run/podd.locks"

// lockPatience is how long a lock may outlive a daemon that was killed: a child that it was just making
// holds a copy until it has run its own program.
const lockPatience = 3 * time.Second

// guarded is one thing that only one daemon may have.
type guarded struct {
	folder, name string // of the lock; without a name the folder itself is locked
	what         string // as the user knows it
	flag         string // that gives another podd one of its own
}

// guardedBy lists what is locked. The folders of podd alone are locked themselves: daemons in other mount namespaces find
// that, too, a read-only or full disk has room for it, and nobody who tidies up can remove it. Of the logs pods may have a
// mount, so that their lock is not in reach of these.
func guardedBy(c *config.Config, warn func(error)) ([]guarded, error) {
	var logs, net unix.Stat_t
	if err := unix.Stat(c.LogDir, &logs); err != nil { // it could not be made
		warn(fmt.Errorf("nothing keeps another podd from --log-dir %s: %w", c.LogDir, err))
	}
	if err := unix.Stat("/proc/self/ns/net", &net); err != nil {
		return nil, fmt.Errorf("cannot name a lock: %w", err)
	}
	cgroups := cmp.Or(strings.ReplaceAll(strings.Trim(filepath.Clean("/"+c.CgroupRoot), "/"), "/", "!"), "default")
	return []guarded{
		{c.RunDir, "", "--run-dir " + c.RunDir, "--run-dir"},
		{c.Root, "", "--root " + c.Root, "--root"},
		{machineLocks, fmt.Sprintf("logs-%d-%d", logs.Dev, logs.Ino), "--log-dir " + c.LogDir, "--log-dir"},
		{machineLocks, fmt.Sprintf("bridge-%d-%s", net.Ino, c.Bridge), "the bridge " + c.Bridge, "--bridge and --pod-cidr"},
		{machineLocks, "cgroups-" + cgroups, "the cgroups below " + cmp.Or(c.CgroupRoot, "podd's own"), "--cgroup-root"},
	}, nil
}

// lockAll keeps other daemons from what this one owns: each removes what it does not know. Locks that cannot be made, on a
// full or a read-only disk, are named to warn.
func lockAll(c *config.Config, report atomicfile.Report, warn func(error)) (release func(), err error) {
	things, err := guardedBy(c, warn)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(machineLocks, 0o700), os.Chmod(machineLocks, 0o700)); err != nil {
		warn(fmt.Errorf("cannot make the folder of locks: %w", err))
	}
	var held []*filelock.Lock
	release = func() {
		for i, l := range held {
			if things[i].folder == machineLocks {
				l.Remove()
			}
			l.Close()
		}
	}
	deadline := time.Now().Add(lockPatience)
	for _, g := range things {
		l, err := g.lock(deadline, report, warn)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, l)
	}
	return release, nil
}

// lock waits for the lock of a daemon that was just killed, and for no other.
func (g *guarded) lock(deadline time.Time, report atomicfile.Report, warn func(error)) (*filelock.Lock, error) {
	path := filepath.Join(g.folder, g.name)
	for ; ; time.Sleep(lockPatience / 100) {
		var l *filelock.Lock
		var err error
		if g.name == "" {
			l, err = filelock.TryDir(path)
		} else {
			l, err = filelock.Try(path, filelock.Exclusive, report)
		}
		switch {
		case err != nil:
			warn(fmt.Errorf("nothing keeps another podd from %s: %w", g.what, err))
			return nil, nil
		case l != nil:
			return l, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%s belongs to another podd%s; stop it first, or give this one %s of its own", g.what, describeHolder(path), g.flag)
		}
	}
}

// describeHolder names the process that has a lock, "" if it is not to be seen from here.
func describeHolder(path string) string {
	pid := filelock.Holder(path)
	if pid == 0 {
		return ""
	}
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	command := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	if command == "" {
		return fmt.Sprintf(", process %d", pid)
	}
	return fmt.Sprintf(", process %d (%s)", pid, command)
}
