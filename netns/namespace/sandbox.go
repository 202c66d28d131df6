// Package namespace makes the namespaces of pods, and keeps them without a process.
//
// A sandbox is a folder with up to four bind mounts, net, ipc, uts and user, that hold the namespaces
// while no process is in them.
package namespace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// SandboxOptions says which namespaces a sandbox holds and how they start out.
type SandboxOptions struct {
	Hostname   string // of the UTS namespace; at most 64 bytes (man 2 sethostname)
	Domainname string // NIS domain of the UTS namespace; "" leaves the host's
	Net        bool
	IPC        bool
	UTS        bool
	Sysctls    map[string]string // net.*, kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*
	Users      *Users            // the namespaces belong to a user namespace with these ids; nil: to that of the process
}

func (o SandboxOptions) wants(k kind) bool {
	switch k.flag {
	case unix.CLONE_NEWNET:
		return o.Net
	case unix.CLONE_NEWIPC:
		return o.IPC
	default:
		return o.UTS
	}
}

// EnsureSandbox makes the namespaces that o wants and holds them by bind mounts in dir, which is
// made together with its parent. The bind comes last for each of them: what is bound is ready,
// and what a crash left out is made now.
func EnsureSandbox(dir string, o SandboxOptions) error {
	if o.Users != nil {
		return ensureUserSandbox(dir, o)
	}
	missing, err := missingOf(dir, wantedKinds(o))
	if err != nil || len(missing) == 0 {
		return err
	}
	sysctls, err := planSysctls(o, missing)
	if err != nil {
		return err
	}
	if err := ensureSandboxDir(dir); err != nil {
		return err
	}
	flags := 0
	for _, k := range missing {
		flags |= k.flag
	}
	return OnThreadSoon(func() error { return makeNamespaces(dir, o, missing, flags, sysctls) }, flags)
}

func wantedKinds(o SandboxOptions) []kind {
	var kinds []kind
	for _, k := range allKinds {
		if o.wants(k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func ensureSandboxDir(dir string) error {
	if err := ensurePrivate(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot make sandbox: %w", err)
	}
	return nil
}

func missingOf(dir string, kinds []kind) ([]kind, error) {
	var missing []kind
	for _, k := range kinds {
		held, err := HoldsNamespace(filepath.Join(dir, k.name))
		if err != nil {
			return nil, err
		}
		if !held {
			missing = append(missing, k)
		}
	}
	return missing, nil
}

// makeNamespaces runs on a thread that may change its namespaces.
func makeNamespaces(dir string, o SandboxOptions, missing []kind, flags int, sysctls []sysctl) error {
	if err := unix.Unshare(flags); err != nil {
		return fmt.Errorf("cannot make namespaces: %w", err)
	}
	if err := setUpNamespaces(o, flags); err != nil {
		return err
	}
	for _, s := range sysctls {
		if err := s.write(); err != nil {
			return err
		}
	}
	for _, k := range missing {
		if err := bindNamespace(k.self(), dir, k); err != nil {
			return err
		}
	}
	return nil
}

// setUpNamespaces works in the calling thread's namespaces, those of which flags says that they are new.
func setUpNamespaces(o SandboxOptions, flags int) error {
	if flags&unix.CLONE_NEWUTS != 0 {
		if err := setNames(o); err != nil {
			return err
		}
	}
	if flags&unix.CLONE_NEWNET != 0 {
		return upLoopback()
	}
	return nil
}

func setNames(o SandboxOptions) error {
	if o.Hostname != "" {
		if err := unix.Sethostname([]byte(o.Hostname)); err != nil {
			return fmt.Errorf("cannot set hostname %q: %w", o.Hostname, err)
		}
	}
	if o.Domainname != "" {
		if err := unix.Setdomainname([]byte(o.Domainname)); err != nil {
			return fmt.Errorf("cannot set domain name %q: %w", o.Domainname, err)
		}
	}
	return nil
}

// upLoopback works in the network namespace of the calling thread.
func upLoopback() error {
	c, err := rtnetlink.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do(rtnetlink.SetUp(rtnetlink.LoopbackIndex)); err != nil {
		return fmt.Errorf("cannot bring up loopback: %w", err)
	}
	return nil
}

// RemoveSandbox lets go of the namespaces in dir. They end when their last process has ended.
func RemoveSandbox(dir string) error {
	for _, k := range append(allKinds[:], userKind) {
		if err := unbind(filepath.Join(dir, k.name)); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove sandbox: %w", err)
	}
	return nil
}
