package devicerules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// Update gives a cgroup of a running container other rules. What both allow stays allowed throughout. dirs are the cgroup's
// folders by controller, as libcontainer has them: "devices" on version 1, "" on version 2.
func Update(dirs map[string]string, rules []*devices.Rule) error {
	if dir := dirs["devices"]; dir != "" {
		return updateV1(dir, rules)
	}
	if dir := dirs[""]; dir != "" {
		return setDeviceRulesV2(dir, &cgroups.Resources{Devices: rules})
	}
	return fmt.Errorf("cannot set device rules: the container has no cgroup for them")
}

type deviceKey struct {
	kind         devices.Type
	major, minor int64
}

func updateV1(dir string, rules []*devices.Rule) error {
	p, err := parseDeviceRules(rules)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "devices.list"))
	if err != nil {
		return fmt.Errorf("cannot read device rules: %w", err)
	}
	have := map[deviceKey]uint8{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == everyDevice {
			return setDeviceRulesV1(dir, &cgroups.Resources{Devices: rules})
		}
		key, access, err := parseListed(line)
		if err != nil {
			return err
		}
		have[key] |= access
	}
	if p.allow {
		return setDeviceRulesV1(dir, &cgroups.Resources{Devices: rules})
	}
	want := map[deviceKey]uint8{}
	for _, r := range p.rules {
		if !r.allow {
			return fmt.Errorf("%w: cgroup v1: %s is denied while others are allowed", errDeviceRule, r)
		}
		want[deviceKey{r.kind, r.major, r.minor}] |= r.access
	}
	if err := writeDeviceRules(filepath.Join(dir, "devices.allow"), beyond(want, have)...); err != nil {
		return err
	}
	return writeDeviceRules(filepath.Join(dir, "devices.deny"), beyond(have, want)...)
}

// beyond are the accesses of a that b does not have.
func beyond(a, b map[deviceKey]uint8) []string {
	var out []string
	for key, access := range a {
		if access &^= b[key]; access != 0 {
			out = append(out, deviceRule{kind: key.kind, major: key.major, minor: key.minor, access: access}.String())
		}
	}
	return out
}

// parseListed reads a line of devices.list.
func parseListed(line string) (deviceKey, uint8, error) {
	var key deviceKey
	fields := strings.Fields(line)
	if len(fields) != 3 || len(fields[0]) != 1 {
		return key, 0, fmt.Errorf("cannot read device rule %q", line)
	}
	key.kind = devices.Type(fields[0][0])
	major, minor, _ := strings.Cut(fields[1], ":")
	for _, part := range []struct {
		text string
		into *int64
	}{{major, &key.major}, {minor, &key.minor}} {
		if part.text == "*" {
			*part.into = devices.Wildcard
		} else if _, err := fmt.Sscanf(part.text, "%d", part.into); err != nil {
			return key, 0, fmt.Errorf("cannot read device rule %q: %w", line, err)
		}
	}
	var access uint8
	for _, c := range fields[2] {
		access |= map[rune]uint8{'r': unix.BPF_DEVCG_ACC_READ, 'w': unix.BPF_DEVCG_ACC_WRITE, 'm': unix.BPF_DEVCG_ACC_MKNOD}[c]
	}
	return key, access, nil
}
