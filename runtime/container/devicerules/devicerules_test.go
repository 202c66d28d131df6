package devicerules

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"golang.org/x/sys/unix"
)

// containerRules is the list that specconv makes of what linuxResources asks for.
func containerRules(privileged bool) []*devices.Rule {
	list := []*devices.Rule{rule("a", -1, -1, "rwm", privileged)}
	for _, d := range specconv.AllowedDevices {
		list = append(list, &d.Rule)
	}
	return list
}

func rule(kind string, major, minor int64, access string, allow bool) *devices.Rule {
	return &devices.Rule{
		Type: devices.Type(kind[0]), Major: major, Minor: minor,
		Permissions: devices.Permissions(access), Allow: allow,
	}
}

func TestDeviceRulesRefused(t *testing.T) {
	for name, r := range map[string]*devices.Rule{
		"all types, one major":  rule("a", 1, -1, "rwm", true),
		"all types, one access": rule("a", -1, -1, "m", true),
		"all types, no access":  rule("a", -1, -1, "", true),
		"fifo":                  rule("p", 1, 1, "rwm", true),
		"negative major":        rule("c", -2, 1, "rwm", true),
		"large major":           rule("c", 4096, 1, "rwm", true),
		"large minor":           rule("b", 1, 1<<20, "rwm", true),
		"unknown access":        rule("c", 1, 1, "rx", true),
		"no access":             rule("c", 1, 1, "", false),
	} {
		if p, err := parseDeviceRules([]*devices.Rule{r}); !errors.Is(err, errDeviceRule) {
			t.Errorf("%s: policy %v, error %v", name, p, err)
		}
	}
}

func TestDevicePolicyKeepsOnlyWhatMatters(t *testing.T) {
	privileged, err := parseDeviceRules(containerRules(true))
	if err != nil || !privileged.allow || len(privileged.rules) != 0 {
		t.Errorf("privileged: %v, %v", privileged, err)
	}
	list := slices.Concat(containerRules(true), containerRules(false))
	p, err := parseDeviceRules(list)
	if err != nil || p.allow || len(p.rules) != len(specconv.AllowedDevices) {
		t.Errorf("allowed, then denied: %v, %v", p, err)
	}
}

// allowedByList asks the list as it stands: the last rule about a bit decides on it, without any is denied.
func allowedByList(list []*devices.Rule, kind devices.Type, major, minor int64, access uint8) bool {
	bits := map[rune]uint8{
		'r': unix.BPF_DEVCG_ACC_READ, 'w': unix.BPF_DEVCG_ACC_WRITE, 'm': unix.BPF_DEVCG_ACC_MKNOD,
	}
	for name, bit := range bits {
		allowed := false
		for _, r := range list {
			covers := r.Type == 'a' || r.Type == kind && (r.Major == -1 || r.Major == major) && (r.Minor == -1 || r.Minor == minor)
			if covers && slices.Contains([]rune(string(r.Permissions)), name) {
				allowed = r.Allow
			}
		}
		if access&bit != 0 && !allowed {
			return false
		}
	}
	return true
}

func randomRules(rnd *rand.Rand) []*devices.Rule {
	accesses := []string{"r", "w", "m", "rw", "rm", "wm", "rwm", "rwm"}
	list := make([]*devices.Rule, rnd.IntN(8))
	for i := range list {
		list[i] = rule([]string{"b", "c"}[rnd.IntN(2)], rnd.Int64N(4)-1, rnd.Int64N(4)-1,
			accesses[rnd.IntN(len(accesses))], rnd.IntN(3) > 0)
		if rnd.IntN(8) == 0 {
			list[i] = rule("a", -1, -1, "rwm", rnd.IntN(2) == 0)
		}
	}
	return list
}

// eachAccess calls fn for every access to the devices that randomRules knows and some that it does not.
func eachAccess(fn func(kind devices.Type, major, minor int64, access uint8)) {
	for _, kind := range []devices.Type{devices.BlockDevice, devices.CharDevice} {
		for number := range int64(16) {
			for access := uint8(1); access <= accessAll; access++ {
				fn(kind, number/4, number%4, access)
			}
		}
	}
}
