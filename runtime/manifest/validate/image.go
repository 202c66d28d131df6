package validate

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/images/reference"
)

// Limits of the grammar of image references (github.com/distribution/reference, which the kubelet uses).
const (
	maxRepository = 255
	maxTag        = 128
)

// validateImage checks the syntax of an image reference. The API server leaves this to the kubelet, which ends in
// InvalidImageName; here nobody would get to see the pod try, and what runs of it goes on.
func validateImage(image string, path *field.Path) field.ErrorList {
	if image == "" {
		return nil // is reported as missing
	}
	if image != strings.TrimSpace(image) {
		return field.ErrorList{field.Invalid(path, image, "must not have leading or trailing whitespace")}
	}
	if fault := imageFault(image); fault != "" {
		return field.ErrorList{field.Invalid(path, reference.Hide(image), noImageName+fault)}
	}
	return nil
}

const noImageName = "couldn't parse image name: invalid reference format: "

// OnlyImageNames says of the faults of a pod that the API server would take it: the kubelet's reason is then the one to show.
func OnlyImageNames(errs field.ErrorList) bool {
	return !slices.ContainsFunc(errs, func(e *field.Error) bool { return !strings.HasPrefix(e.Detail, noImageName) })
}

// imageFault says what is wrong with [registry/]repository[:tag][@digest], or "".
func imageFault(image string) string {
	if len(image) == 64 && strings.Trim(image, hexDigits) == "" {
		return "it is 64 hexadecimal digits; write sha256: before an ID"
	}
	name, digest, digested := strings.Cut(image, "@")
	registry, rest, slash := strings.Cut(name, "/")
	// The first part is a registry if no repository could be written so.
	if !slash || !strings.ContainsAny(registry, ".:") && registry != "localhost" && strings.ToLower(registry) == registry {
		registry, rest = "", name
	}
	repository, tag, tagged := strings.Cut(rest, ":")
	switch {
	case registry != "" && !isRegistry(registry):
		return "the registry must be host, host:port or [IPv6]:port"
	case strings.ToLower(repository) != repository:
		return "repository name must be lowercase"
	case !isRepository(repository):
		return "a repository name has only a-z, 0-9 and between them / . _ - or __"
	case len(repository) > maxRepository:
		return "repository name must not be more than 255 characters"
	case tagged && !isTag(tag):
		return "a tag has at most 128 letters, digits, _ . and -, and does not start with . or -"
	case digested && !isDigest(digest):
		return "a digest is sha256: and 64 digits 0-9 a-f"
	}
	return ""
}

const (
	hexDigits = "0123456789abcdef"
	lowerCase = "abcdefghijklmnopqrstuvwxyz0123456789"
	anyCase   = lowerCase + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func isRegistry(registry string) bool {
	host, port, ported := strings.Cut(registry, ":")
	if strings.HasPrefix(registry, "[") {
		var closed bool
		host, port, closed = strings.Cut(registry[1:], "]")
		if !closed || host == "" || strings.Trim(host, "0123456789abcdefABCDEF:") != "" {
			return false
		}
		port, ported = strings.CutPrefix(port, ":")
		if !ported && port != "" {
			return false
		}
		host = "v6"
	}
	if ported && (port == "" || strings.Trim(port, "0123456789") != "") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, anyCase+"-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// isRepository demands parts of a-z and 0-9, joined inside by one dot, one or two underscores or any number of dashes.
func isRepository(repository string) bool {
	for part := range strings.SplitSeq(repository, "/") {
		if part == "" {
			return false
		}
		for part != "" {
			word := strings.TrimLeft(part, lowerCase)
			joint := word[:len(word)-len(strings.TrimLeft(word, "._-"))]
			switch {
			case word == part: // starts with a joint, or ended with one
				return false
			case word == "":
				part = ""
				continue
			case joint != "." && joint != "_" && joint != "__" && (joint == "" || strings.Trim(joint, "-") != ""):
				return false
			case joint == word:
				return false
			}
			part = word[len(joint):]
		}
	}
	return true
}

func isTag(tag string) bool {
	return tag != "" && len(tag) <= maxTag && tag[0] != '.' && tag[0] != '-' && strings.Trim(tag, anyCase+"_.-") == ""
}

// isDigest knows the algorithms that images are stored under.
func isDigest(digest string) bool {
	algorithm, hash, _ := strings.Cut(digest, ":")
	size := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	return size > 0 && len(hash) == size && strings.Trim(hash, hexDigits) == ""
}
