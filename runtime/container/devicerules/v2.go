package devicerules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// Programs of ours are known by the beginning of their name, their rules by the hash that follows.
const programPrefix = "podd"

var errNoDevicePrograms = errors.New("this kernel cannot enforce device rules on cgroup v2: " +
	"it needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF, Linux 4.15 or newer")

// setDeviceRulesV2 attaches a program that enforces the rules to the cgroup dir and takes away an older one of ours.
// Rules that allow everything need none. Programs of others stay: the kernel asks all of them.
func setDeviceRulesV2(dir string, r *cgroups.Resources) error {
	if r.SkipDevices {
		return nil
	}
	policy, err := parseDeviceRules(r.Devices)
	if err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot set device rules: %w", &os.PathError{Op: "open", Path: dir, Err: err})
	}
	defer unix.Close(fd)
	if err := ensureDeviceProgram(fd, policy); err != nil {
		return fmt.Errorf("cannot set device rules of %s: %w", dir, err)
	}
	return nil
}

func ensureDeviceProgram(cgroup int, policy devicePolicy) error {
	attached, err := queryDevicePrograms(cgroup)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range attached {
			unix.Close(p.fd)
		}
	}()
	keep := ""
	if !policy.allow || len(policy.rules) > 0 {
		code := encodeProgram(deviceProgram(policy), binary.NativeEndian)
		keep = programName(code)
		if err := ensureAttached(cgroup, code, keep, attached); err != nil {
			return err
		}
	}
	// The old one goes after the new one has come: at no time is the cgroup without rules.
	for _, p := range attached {
		if p.name != keep && strings.HasPrefix(p.name, programPrefix) {
			if err := detachDeviceProgram(cgroup, p.fd); err != nil {
				return fmt.Errorf("cannot detach program %s: %w", p.name, err)
			}
		}
	}
	return nil
}

func ensureAttached(cgroup int, code []byte, name string, attached []deviceProgramFD) error {
	for _, p := range attached {
		if p.name == name {
			return nil
		}
	}
	fd, err := loadDeviceProgram(code, name)
	if err != nil {
		return fmt.Errorf("cannot load program: %w", err)
	}
	defer unix.Close(fd) // attached, the cgroup holds it
	if err := attachDeviceProgram(cgroup, fd); err != nil {
		return fmt.Errorf("cannot attach program: %w", err)
	}
	return nil
}

// programName fills BPF_OBJ_NAME_LEN but for the NUL.
func programName(code []byte) string {
	h := fnv.New64a()
	h.Write(code)
	return fmt.Sprintf("%s%011x", programPrefix, h.Sum64()>>20)
}
