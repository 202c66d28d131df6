// Package platform says which platforms' images a machine can run, and how well.
package platform

import (
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

// Platform is an OCI platform: operating system, architecture and CPU variant, in Go's words.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Parse reads "linux/arm/v7", "arm64" or "linux/amd64".
func Parse(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) == 1 {
		parts = []string{"linux", s}
	}
	if len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Platform{}, fault.Platformf("platform %q is none: write os/architecture[/variant], such as linux/arm/v7", s)
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p.Normalize(), nil
}

// Normalize fills in the variant that an architecture means without one, and the names that uname uses.
func (p Platform) Normalize() Platform {
	switch p.Architecture {
	case "aarch64":
		p.Architecture = "arm64"
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "armhf":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel":
		p.Architecture, p.Variant = "arm", "v6"
	}
	switch {
	case p.Architecture == "arm64" && p.Variant == "v8", p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	}
	return p
}

// Host asks the kernel for the variant of a 32-bit ARM: a Raspberry Pi Zero (armv6l) cannot run v7 code.
func Host() Platform {
	p := Platform{OS: "linux", Architecture: runtime.GOARCH}
	var uts unix.Utsname
	if runtime.GOARCH == "arm" && unix.Uname(&uts) == nil {
		p.Variant = armVariant(unix.ByteSliceToString(uts.Machine[:]))
	}
	return p.Normalize()
}

// armVariant maps uname's machine; a 64-bit kernel (aarch64, armv8l) below a 32-bit podd runs v7 code.
func armVariant(machine string) string {
	switch {
	case strings.HasPrefix(machine, "armv6"):
		return "v6"
	case strings.HasPrefix(machine, "armv5"):
		return "v5"
	}
	return "v7"
}

// Rank says how well code for q runs on p: 0 is best, -1 is not at all. A newer ARM runs code of the older ones, a
// 64-bit one usually that of the 32-bit ones, amd64 that of 386; the native architecture always wins.
func (p Platform) Rank(q Platform) int {
	q = q.Normalize()
	if q.OS != p.OS {
		return -1
	}
	if q.Architecture == p.Architecture {
		if p.Architecture == "arm" {
			return armRank(p.Variant, q.Variant)
		}
		return sameArchRank(p.Variant, q.Variant)
	}
	switch {
	case p.Architecture == "arm64" && q.Architecture == "arm":
		if r := armRank("v8", q.Variant); r >= 0 {
			return 10 + r
		}
	case p.Architecture == "amd64" && q.Architecture == "386":
		return 10
	}
	return -1
}

// sameArchRank: a baseline image runs on every variant, another variant only on itself.
func sameArchRank(own, other string) int {
	switch other {
	case own:
		return 0
	case "":
		return 1
	}
	return -1
}

func armRank(own, other string) int {
	order := []string{"v8", "v7", "v6", "v5"}
	i, j := slices.Index(order, own), slices.Index(order, other)
	if i < 0 || j < i {
		return -1
	}
	return j - i
}
