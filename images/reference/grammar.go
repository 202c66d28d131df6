package reference

import (
	"net/netip"
	"strings"
)

// The character classes of github.com/distribution/reference, written out: compiling its regular expressions at start
// would cost every container start of the binary.

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLowerAlnum(c byte) bool { return isLower(c) || isDigit(c) }

func isAlnum(c byte) bool { return isLowerAlnum(c) || isUpper(c) }

// IsHex reports whether s is lower-case hexadecimal digits, one at least.
func IsHex(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return s != ""
}

func validDomain(s string) bool {
	if strings.HasPrefix(s, "[") {
		addr, port, ok := strings.Cut(s[1:], "]")
		ip, err := netip.ParseAddr(addr)
		return ok && err == nil && ip.Is6() && ip.Zone() == "" && (port == "" || (port[0] == ':' && validPort(port[1:])))
	}
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && !validPort(port) {
		return false
	}
	for part := range strings.SplitSeq(host, ".") {
		if !validHostPart(part) {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func validHostPart(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != "" && s[0] != '-' && s[len(s)-1] != '-'
}

func validPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !validComponent(part) {
			return false
		}
	}
	return true
}

// validComponent accepts runs of a-z and 0-9 with one separator between them: a dot, one or two underscores, or dashes.
func validComponent(s string) bool {
	if s == "" || !isLowerAlnum(s[0]) || !isLowerAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && !isLowerAlnum(s[i]) {
			i++
		}
		if sep := s[start:i]; sep != "" && sep != "." && sep != "_" && sep != "__" && strings.Trim(sep, "-") != "" {
			return false
		}
		for i < len(s) && isLowerAlnum(s[i]) {
			i++
		}
	}
	return true
}

func validTag(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' && (i == 0 || (s[i] != '.' && s[i] != '-')) {
			return false
		}
	}
	return s != "" && len(s) <= maxTag
}

// ValidDigest accepts sha256 alone: it is what every builder writes, and what this package verifies.
func ValidDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && IsHex(hex)
}
