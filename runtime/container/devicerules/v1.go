package devicerules

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// everyDevice is how devices.list shows a cgroup that allows by default.
const everyDevice = "a *:* rwm"

// setDeviceRulesV1 makes devices.list of the cgroup dir what the rules say. Rules that are there already cost one read.
func setDeviceRulesV1(dir string, r *cgroups.Resources) error {
	if r.SkipDevices {
		return nil
	}
	want, err := deviceListV1(r.Devices)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(filepath.Join(dir, "devices.list"))
	if err != nil {
		return fmt.Errorf("cannot read device rules: %w", err)
	}
	// The kernel keeps the order of the writes and merges the accesses of equal devices, as deviceListV1 does.
	if strings.TrimSuffix(string(have), "\n") == strings.Join(want, "\n") {
		return nil
	}
	if len(want) == 1 && want[0] == everyDevice {
		return writeDeviceRules(filepath.Join(dir, "devices.allow"), "a")
	}
	// Writing "a" also empties the list.
	if err := writeDeviceRules(filepath.Join(dir, "devices.deny"), "a"); err != nil {
		return err
	}
	return writeDeviceRules(filepath.Join(dir, "devices.allow"), want...)
}

// writeDeviceRules writes one rule at a time: the kernel reads no further than the first of a write.
func writeDeviceRules(path string, rules ...string) error {
	if len(rules) == 0 {
		return nil
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	for _, rule := range rules {
		if _, err := unix.Write(fd, []byte(rule)); err != nil {
			return fmt.Errorf("cannot write device rule %q to %s: %w", rule, path, err)
		}
	}
	return nil
}

// deviceListV1 is the devices.list of the rules. The controller knows an allow list without holes, in which one entry
// must cover all of an access; an entry cannot be split, and what is denied by exception cannot be read back.
func deviceListV1(rules []*devices.Rule) ([]string, error) {
	p, err := parseDeviceRules(rules)
	if err != nil {
		return nil, err
	}
	if p.allow {
		if len(p.rules) > 0 {
			return nil, fmt.Errorf("%w: cgroup v1: %s is denied while the rest is allowed", errDeviceRule, p.rules[0])
		}
		return []string{everyDevice}, nil
	}
	var allowed []deviceRule
	for _, r := range p.rules {
		if !r.allow {
			if err := checkNoHole(r, allowed); err != nil {
				return nil, err
			}
			continue
		}
		allowed = mergeDevice(allowed, r)
	}
	list := make([]string, len(allowed))
	for i, r := range allowed {
		list[i] = r.String()
	}
	return list, nil
}

func checkNoHole(denied deviceRule, allowed []deviceRule) error {
	for _, r := range allowed {
		if denied.overlaps(r) {
			return fmt.Errorf("%w: cgroup v1: %s is denied after %s was allowed", errDeviceRule, denied, r)
		}
	}
	return nil
}

func mergeDevice(list []deviceRule, r deviceRule) []deviceRule {
	for i, old := range list {
		if old.kind == r.kind && old.major == r.major && old.minor == r.minor {
			list[i].access |= r.access
			return list
		}
	}
	return append(list, r)
}

func (r deviceRule) overlaps(o deviceRule) bool {
	return r.kind == o.kind && r.access&o.access != 0 &&
		(r.major == o.major || r.major == devices.Wildcard || o.major == devices.Wildcard) &&
		(r.minor == o.minor || r.minor == devices.Wildcard || o.minor == devices.Wildcard)
}

// String is a line of devices.list.
func (r deviceRule) String() string {
	b := make([]byte, 0, 24)
	b = append(b, byte(r.kind), ' ')
	b = append(appendDeviceNumber(b, r.major), ':')
	b = append(appendDeviceNumber(b, r.minor), ' ')
	if r.access&unix.BPF_DEVCG_ACC_READ != 0 {
		b = append(b, 'r')
	}
	if r.access&unix.BPF_DEVCG_ACC_WRITE != 0 {
		b = append(b, 'w')
	}
	if r.access&unix.BPF_DEVCG_ACC_MKNOD != 0 {
		b = append(b, 'm')
	}
	return string(b)
}

func appendDeviceNumber(b []byte, n int64) []byte {
	if n == devices.Wildcard {
		return append(b, '*')
	}
	return strconv.AppendInt(b, n, 10)
}
