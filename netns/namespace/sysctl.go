package namespace

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctl is one value, to be written by a thread inside the namespace it belongs to: the kernel
// picks the table of the writing thread.
type sysctl struct {
	kind  int
	path  string
	value string
	// bestEffort: where podd itself has a user namespace, not every group may be named.
	bestEffort bool
}

func (s sysctl) write() error {
	err := os.WriteFile(s.path, []byte(s.value), 0)
	if s.bestEffort && errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot set sysctl to %q: %w", s.value, err)
	}
	return nil
}

// Sysctls of IPv4 that a sandbox's network starts out with, unless its options have others: a process needs no privilege for
// the ports below 1024 and for ping, whose groups the kernel reads as ids of the writer. Docker, containerd and k3s have them so.
const (
	portStart = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
	pingRange = "/proc/sys/net/ipv4/ping_group_range"
)

// maxPingGroup is the highest group that the kernel takes for all groups' sake (net/ipv4/ping.c).
const maxPingGroup = math.MaxInt32

// planSysctls picks what belongs to the namespaces about to be made, in a stable order.
func planSysctls(o SandboxOptions, missing []kind) ([]sysctl, error) {
	isNew := func(flag int) bool { return slices.ContainsFunc(missing, func(k kind) bool { return k.flag == flag }) }
	values := map[string]sysctl{}
	if isNew(unix.CLONE_NEWNET) {
		values[portStart] = sysctl{kind: unix.CLONE_NEWNET, path: portStart, value: "0"}
		values[pingRange] = sysctl{kind: unix.CLONE_NEWNET, path: pingRange, value: allGroups(o.Users), bestEffort: true}
	}
	for name, value := range o.Sysctls {
		s, err := parseSysctl(name, value)
		if err != nil {
			return nil, err
		}
		if !o.wants(kind{flag: s.kind}) {
			return nil, fmt.Errorf("cannot set %q: %w", name, ErrNotNamespaced)
		}
		if s.path == pingRange && o.Users != nil {
			if s.value, err = o.Users.groupRange(value); err != nil {
				return nil, err
			}
		}
		if isNew(s.kind) {
			values[s.path] = s
		}
	}
	var list []sysctl
	for _, path := range slices.Sorted(maps.Keys(values)) {
		list = append(list, values[path])
	}
	return list, nil
}

func allGroups(u *Users) string {
	if u == nil {
		return fmt.Sprint(0, maxPingGroup)
	}
	return fmt.Sprint(u.First, u.First+u.Count-1)
}

// groupRange turns a range of groups of the namespace, such as "0 1000", into the machine's. One that ends before it begins
// has no group.
func (u *Users) groupRange(value string) (string, error) {
	var groups []string
	for word := range strings.FieldsSeq(value) {
		if g, err := strconv.ParseUint(word, 10, 32); err == nil && g < uint64(u.Count) {
			groups = append(groups, strconv.Itoa(u.First+int(g)))
			continue
		}
		groups = nil
		break
	}
	if len(groups) != 2 {
		return "", fmt.Errorf("cannot set ping_group_range to %q: in a user namespace it is two groups from 0 to %d", value, u.Count-1)
	}
	return strings.Join(groups, " "), nil
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
