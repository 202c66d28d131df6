// Package semver spells what a build of podd calls itself as a semantic version (https://semver.org).
package semver

import (
	"slices"
	"strings"
)

// Of makes what a build calls itself a semantic version, which is what clients of a node read its versions as: a
// commit that no tag precedes, and a number with less than three parts, are none.
func Of(build string) string {
	const parts = 3
	core, rest := strings.TrimPrefix(build, "v"), ""
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core, rest = core[:i], core[i:]
	}
	numbers := strings.Split(core, ".")
	isNumber := func(s string) bool {
		return s == "0" || s != "" && s[0] != '0' && strings.Trim(s, "0123456789") == ""
	}
	if len(numbers) > 1 && len(numbers) <= parts && !slices.ContainsFunc(numbers, func(s string) bool { return !isNumber(s) }) && plain(rest, "-.+") == rest {
		return "v" + core + strings.Repeat(".0", parts-len(numbers)) + rest
	}
	return "v0.0.0-dev-" + plain(build, "-")
}

// plain puts a dash in the place of all that is neither a letter nor a digit of ASCII nor among others.
func plain(s, others string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(others, r) {
			return r
		}
		return '-'
	}, s)
}
