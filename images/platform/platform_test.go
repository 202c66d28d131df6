package platform

import (
	"errors"
	"testing"

	"podd/images/fault"
)

// must drops an error that would be a mistake of the test itself.
func must[T any](t testing.TB, give func() (T, error)) T {
	t.Helper()
	v, err := give()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPlatformRank(t *testing.T) {
	for _, c := range []struct {
		own  string
		best []string // better first
		not  []string
	}{
		{"linux/amd64", []string{"linux/amd64", "linux/386"}, []string{"linux/arm64", "windows/amd64", "linux/amd64/v3", "unknown/unknown"}},
		{"linux/arm64", []string{"linux/arm64/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}, []string{"linux/amd64"}},
		{"linux/arm/v7", []string{"linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}, []string{"linux/arm64", "linux/arm/v8", "linux/arm/v9"}},
		{"linux/arm/v6", []string{"linux/arm/v6", "linux/arm/v5"}, []string{"linux/arm/v7", "linux/arm"}},
		{"linux/riscv64", []string{"linux/riscv64"}, []string{"linux/amd64"}},
	} {
		own := must(t, func() (Platform, error) { return Parse(c.own) })
		last := -1
		for _, s := range c.best {
			r := own.Rank(must(t, func() (Platform, error) { return Parse(s) }))
			if r <= last {
				t.Errorf("%s on %s has the rank %d after %d", s, c.own, r, last)
			}
			last = r
		}
		for _, s := range c.not {
			if r := own.Rank(must(t, func() (Platform, error) { return Parse(s) })); r >= 0 {
				t.Errorf("%s on %s has the rank %d", s, c.own, r)
			}
		}
	}
}

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"arm64": "linux/arm64", "linux/arm64/v8": "linux/arm64", "linux/arm": "linux/arm/v7", "linux/aarch64": "linux/arm64",
		"linux/x86_64": "linux/amd64", "linux/armhf": "linux/arm/v7", "linux/armel": "linux/arm/v6",
	} {
		if p, err := Parse(in); err != nil || p.String() != want {
			t.Errorf("parsePlatform(%q) = %s, %v; want %s", in, p, err, want)
		}
	}
	for _, bad := range []string{"", "/", "linux/", "a/b/c/d"} {
		if p, err := Parse(bad); !errors.Is(err, fault.ErrPlatform) {
			t.Errorf("parsePlatform(%q) = %s, %v", bad, p, err)
		}
	}
}

func TestArmVariant(t *testing.T) {
	for machine, want := range map[string]string{"armv6l": "v6", "armv7l": "v7", "armv5tel": "v5", "aarch64": "v7", "armv8l": "v7"} {
		if got := armVariant(machine); got != want {
			t.Errorf("%s is %s, want %s", machine, got, want)
		}
	}
}
