package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockRunDir keeps a second daemon from owning the same pods.
func lockRunDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if time.Now().After(deadline) {
			_ = f.Close()
			return nil, fmt.Errorf("another podd runs with --run-dir %s; stop it first, or give this one --run-dir, --root, --bridge, --pod-cidr and --cgroup-root of its own", dir)
		}
	}
}

// lockMachine keeps a second daemon, with folders of its own, from the bridge and the cgroups of the first: each
// removes what it does not know. The locks are abstract sockets, which die with their owner (man 7 unix).
func lockMachine(bridge, cgroupRoot string) (release func(), err error) {
	var held []net.Listener
	release = func() {
		for _, l := range held {
			_ = l.Close()
		}
	}
	for name, flag := range map[string]string{
		"bridge " + bridge:                         "--bridge and --pod-cidr",
		"cgroups " + cmp.Or(cgroupRoot, "default"): "--cgroup-root",
	} {
		l, err := listenSoon("@podd/" + name)
		if err != nil {
			release()
			return nil, fmt.Errorf("another podd owns the %s; stop it first, or give this one %s of its own", name, flag)
		}
		held = append(held, l)
	}
	return release, nil
}

// listenSoon waits for the socket of a daemon that was just killed, as lockRunDir does.
func listenSoon(name string) (net.Listener, error) {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		l, err := net.Listen("unix", name)
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
	}
}

// lockPatience is how long the lock may outlive a daemon that was killed: a child that it was just making
// holds a copy until it has run its own program.
const lockPatience = 3 * time.Second
