package validate

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Invalid makes an error of each message about one value.
func Invalid(path *field.Path, value any, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range messages {
		errs = append(errs, field.Invalid(path, value, msg))
	}
	return errs
}

// NonNegative refuses what is below zero.
func NonNegative(value int64, path *field.Path) field.ErrorList {
	if value < 0 {
		return field.ErrorList{field.Invalid(path, value, "must be greater than or equal to 0")}
	}
	return nil
}

// OneOf reports a value that is missing or not among the supported ones.
func OneOf[T ~string](path *field.Path, value T, supported ...T) field.ErrorList {
	switch {
	case slices.Contains(supported, value):
		return nil
	case value == "":
		return field.ErrorList{field.Required(path, "")}
	default:
		return field.ErrorList{field.NotSupported(path, value, supported)}
	}
}

// DNSLabel demands a DNS label (RFC 1123).
func DNSLabel(value string, path *field.Path) field.ErrorList {
	return Invalid(path, value, validation.IsDNS1123Label(value))
}

// DNSSubdomain demands a DNS subdomain (RFC 1123).
func DNSSubdomain(value string, path *field.Path) field.ErrorList {
	return Invalid(path, value, validation.IsDNS1123Subdomain(value))
}

// descendingPath demands a relative path without backsteps.
func descendingPath(p string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if path.IsAbs(p) {
		errs = append(errs, field.Invalid(at, p, "must be a relative path"))
	}
	return append(errs, NoBacksteps(p, at)...)
}

// NoBacksteps refuses a path with ".." in it.
func NoBacksteps(p string, at *field.Path) field.ErrorList {
	if slices.Contains(strings.Split(p, "/"), "..") {
		return field.ErrorList{field.Invalid(at, p, "must not contain '..'")}
	}
	return nil
}

// Seen finds doubled names.
type Seen map[string]bool

// Add reports whether name was seen before.
func (s Seen) Add(name string) bool {
	had := s[name]
	s[name] = true
	return had
}
