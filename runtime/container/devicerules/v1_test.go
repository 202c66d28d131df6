package devicerules

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
)

func TestDeviceListV1(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []*devices.Rule
		want  string // lines of devices.list, or "refused"
	}{
		{"container", containerRules(false), "c *:* m,b *:* m,c 1:3 rwm,c 1:8 rwm,c 1:7 rwm,c 5:0 rwm,c 1:5 rwm,c 1:9 rwm,c 136:* rwm,c 5:2 rwm,c 10:200 rwm"},
		{"privileged", containerRules(true), "a *:* rwm"},
		{"no rules", nil, ""},
		{"parts of one", []*devices.Rule{rule("c", 1, 3, "m", true), rule("c", 1, 5, "r", true), rule("c", 1, 3, "r", true)}, "c 1:3 rm,c 1:5 r"},
		{"denied without need", []*devices.Rule{rule("c", 1, 3, "r", true), rule("c", 1, 3, "w", false), rule("b", -1, -1, "rwm", false)}, "c 1:3 r"},
		{"hole", []*devices.Rule{rule("c", 1, -1, "rw", true), rule("c", 1, 3, "w", false)}, "refused"},
		{"taken back", []*devices.Rule{rule("c", 1, 3, "rw", true), rule("c", -1, -1, "w", false)}, "refused"},
		{"all but one", []*devices.Rule{rule("a", -1, -1, "rwm", true), rule("c", 1, 3, "w", false)}, "refused"},
	} {
		list, err := deviceListV1(c.rules)
		got := strings.Join(list, ",")
		if errors.Is(err, errDeviceRule) {
			got = "refused"
		}
		if got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// The kernel's way to ask an allow list: one entry has to cover all of the access.
func allowedByEntries(list []string, access deviceRule) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		kind, rest, _ := strings.Cut(entry, " ")
		numbers, bits, _ := strings.Cut(rest, " ")
		major, minor, _ := strings.Cut(numbers, ":")
		numberFits := func(pattern string, n int64) bool {
			return pattern == "*" || pattern == string(appendDeviceNumber(nil, n))
		}
		parsed, err := parseDeviceAccess(&devices.Rule{Permissions: devices.Permissions(bits)})
		return err == nil && (kind == "a" || kind == string(rune(access.kind))) && numberFits(major, access.major) &&
			numberFits(minor, access.minor) && access.access&^parsed == 0
	})
}

func TestDeviceListV1NeverGrantsMore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	expressed := 0
	for range 3000 {
		rules := randomRules(rnd)
		list, err := deviceListV1(rules)
		if err != nil {
			continue
		}
		expressed++
		eachAccess(func(kind devices.Type, major, minor int64, access uint8) {
			got := allowedByEntries(list, deviceRule{kind: kind, major: major, minor: minor, access: access})
			want := allowedByList(rules, kind, major, minor, access)
			// With one bit there is nothing that two entries could share.
			if got && !want || want && !got && access&(access-1) == 0 {
				t.Fatalf("%c %d:%d access %d: allowed %v, want %v by\n%s", kind, major, minor, access, got, want, showRules(rules))
			}
		})
	}
	if expressed < 500 {
		t.Errorf("only %d of the lists could be expressed", expressed)
	}
}

func TestSetDeviceRulesV1Errors(t *testing.T) {
	dir := t.TempDir()
	set := func(r *cgroups.Resources) error { return setDeviceRulesV1(dir, r) }
	if err := set(&cgroups.Resources{SkipDevices: true}); err != nil {
		t.Errorf("skipped: %v", err)
	}
	if err := set(&cgroups.Resources{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no cgroup: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "devices.list"), []byte(everyDevice+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// No file to write to: only what is so already succeeds.
	if err := set(&cgroups.Resources{Devices: containerRules(true)}); err != nil {
		t.Errorf("already so: %v", err)
	}
	if err := set(&cgroups.Resources{Devices: containerRules(false)}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not writable: %v", err)
	}
}
