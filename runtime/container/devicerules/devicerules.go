// Package devicerules enforces the device rules of a cgroup: with devices.list on version 1, with a BPF program on version 2.
//
// The cgroup managers of libcontainer call it once it is imported; without it a container with device rules cannot start.
package devicerules

import (
	"errors"
	"fmt"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// The cgroup managers of libcontainer call these two; without them a container with device rules cannot start.
func init() {
	cgroups.DevicesSetV1 = setDeviceRulesV1
	cgroups.DevicesSetV2 = setDeviceRulesV2
}

var errDeviceRule = errors.New("device rule cannot be expressed")

// dev_t has 12 bits of major and 20 bits of minor number. linux/kdev_t.h
const (
	maxDeviceMajor = 1<<12 - 1
	maxDeviceMinor = 1<<20 - 1
)

const accessAll = unix.BPF_DEVCG_ACC_READ | unix.BPF_DEVCG_ACC_WRITE | unix.BPF_DEVCG_ACC_MKNOD

// deviceRule is about the devices of one kind. Its numbers may be devices.Wildcard.
type deviceRule struct {
	kind         devices.Type // devices.CharDevice or devices.BlockDevice
	major, minor int64
	access       uint8 // BPF_DEVCG_ACC_* bits
	allow        bool
}

// devicePolicy decides on each bit of an access by the last rule that covers it, else by the default.
type devicePolicy struct {
	allow bool // the default
	rules []deviceRule
}

// parseDeviceRules reads a rule list of libcontainer. A list without a rule for all devices denies by default.
func parseDeviceRules(list []*devices.Rule) (devicePolicy, error) {
	var p devicePolicy
	for _, r := range list {
		access, err := parseDeviceAccess(r)
		if err != nil {
			return devicePolicy{}, err
		}
		if r.Type == devices.WildcardDevice {
			if r.Major != devices.Wildcard || r.Minor != devices.Wildcard || access != accessAll {
				return devicePolicy{}, fmt.Errorf("%w: %s: only \"a *:* rwm\" is about all types", errDeviceRule, r.CgroupString())
			}
			p = devicePolicy{allow: r.Allow}
			continue
		}
		if err := checkDeviceRule(r); err != nil {
			return devicePolicy{}, err
		}
		if len(p.rules) == 0 && r.Allow == p.allow {
			continue // the default says so
		}
		p.rules = append(p.rules, deviceRule{kind: r.Type, major: r.Major, minor: r.Minor, access: access, allow: r.Allow})
	}
	return p, nil
}

func checkDeviceRule(r *devices.Rule) error {
	if r.Type != devices.CharDevice && r.Type != devices.BlockDevice {
		return fmt.Errorf("%w: %s: the type is none of a, b, c", errDeviceRule, r.CgroupString())
	}
	if r.Major < devices.Wildcard || r.Major > maxDeviceMajor || r.Minor < devices.Wildcard || r.Minor > maxDeviceMinor {
		return fmt.Errorf("%w: %s: no device has such a number", errDeviceRule, r.CgroupString())
	}
	return nil
}

func parseDeviceAccess(r *devices.Rule) (uint8, error) {
	var access uint8
	for _, c := range r.Permissions {
		switch c {
		case 'r':
			access |= unix.BPF_DEVCG_ACC_READ
		case 'w':
			access |= unix.BPF_DEVCG_ACC_WRITE
		case 'm':
			access |= unix.BPF_DEVCG_ACC_MKNOD
		default:
			return 0, fmt.Errorf("%w: %s: the access has more than r, w, m", errDeviceRule, r.CgroupString())
		}
	}
	if access == 0 {
		return 0, fmt.Errorf("%w: %s: the access is empty", errDeviceRule, r.CgroupString())
	}
	return access, nil
}
