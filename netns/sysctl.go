package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctl is one value, to be written by a thread inside the namespace it belongs to: the kernel
// picks the table of the writing thread.
type sysctl struct {
	kind  int
	path  string
	value string
}

func (s sysctl) write() error {
	if err := os.WriteFile(s.path, []byte(s.value), 0); err != nil {
		return fmt.Errorf("cannot set sysctl: %w", err)
	}
	return nil
}

// planSysctls picks what belongs to the namespaces about to be made, in a stable order.
func planSysctls(o SandboxOptions, missing []kind) ([]sysctl, error) {
	var plan []sysctl
	for name, value := range o.Sysctls {
		s, err := parseSysctl(name, value)
		if err != nil {
			return nil, err
		}
		if !o.wants(kind{flag: s.kind}) {
			return nil, fmt.Errorf("cannot set %q: %w", name, ErrNotNamespaced)
		}
		if slices.ContainsFunc(missing, func(k kind) bool { return k.flag == s.kind }) {
			plan = append(plan, s)
		}
	}
	sort.Slice(plan, func(i, j int) bool { return plan[i].path < plan[j].path })
	return plan, nil
}

// parseSysctl knows both spellings of sysctl(8): net.ipv4.ip_forward and net/ipv4/ip_forward;
// with slashes, dots are part of a name, as in net/ipv4/conf/eth0.5/mtu.
func parseSysctl(name, value string) (sysctl, error) {
	path := name
	if sep := strings.IndexAny(name, "./"); sep >= 0 && name[sep] == '.' {
		path = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	kind := sysctlKind(path)
	if kind == 0 || !filepath.IsLocal(path) || path != filepath.Clean(path) {
		return sysctl{}, fmt.Errorf("cannot set %q: %w", name, ErrNotNamespaced)
	}
	return sysctl{kind: kind, path: "/proc/sys/" + path, value: value}, nil
}

// sysctlKind follows the kernel: net is per network namespace; man 7 ipc_namespaces has the rest.
func sysctlKind(path string) int {
	switch {
	case strings.HasPrefix(path, "net/"):
		return unix.CLONE_NEWNET
	case strings.HasPrefix(path, "kernel/msg"), strings.HasPrefix(path, "kernel/shm"),
		path == "kernel/sem", strings.HasPrefix(path, "fs/mqueue/"):
		return unix.CLONE_NEWIPC
	}
	return 0
}
