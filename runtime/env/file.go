package env

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// MaxFile is how many bytes a file of variables may have. KEP-3721
const MaxFile = 64 << 10

// fileKey reads one variable of a file in a volume. KEP-3721
func fileKey(r *corev1.FileKeySelector, s *Source) (string, error) {
	text, err := s.File(r.VolumeName, r.Path)
	if err != nil {
		return "", err
	}
	if len(text) > MaxFile {
		return "", fmt.Errorf("file %s of volume %s has more than %d bytes", r.Path, r.VolumeName, MaxFile)
	}
	// Line ends of Windows do not come into values, as they do not with a kubelet.
	value, found := "", false
	err = parseFile(strings.ReplaceAll(string(text), "\r\n", "\n"), func(name, v string) bool {
		value, found = v, name == r.Key
		return !found
	})
	if err != nil {
		return "", fmt.Errorf("cannot read file %s of volume %s: %w", r.Path, r.VolumeName, err)
	}
	if !found {
		return "", &missing{fmt.Sprintf("environment variable key %q not found in file %q", r.Key, r.Path)}
	}
	return value, nil
}

// parseFile reads lines NAME='VALUE' until each returns false: the value stands in single quotes, may go over several lines
// and has no escapes. Blank lines and lines that begin with # say nothing. A blank after the = makes the value empty, as in a
// shell. As with a kubelet, the first of two values of a name counts, and what follows it may have any form.
// pkg/kubelet/util/env
func parseFile(text string, each func(name, value string) bool) error {
	for line := 1; text != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(head)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			text = rest
			line++
			continue
		}
		name, after, ok := strings.Cut(strings.TrimLeft(text, " \t"), "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\n'") {
			return fmt.Errorf("line %d is not of the form NAME='VALUE'", line)
		}
		if strings.HasPrefix(after, " ") || strings.HasPrefix(after, "\t") {
			if !each(name, "") {
				return nil
			}
			text = rest
			line++
			continue
		}
		after, ok = strings.CutPrefix(after, "'")
		if !ok {
			return fmt.Errorf("line %d is not of the form NAME='VALUE'", line)
		}
		value, tail, closed := strings.Cut(after, "'")
		if !closed {
			return fmt.Errorf("the quote that line %d opens is not closed", line)
		}
		end, next, _ := strings.Cut(tail, "\n")
		if end = strings.TrimSpace(end); end != "" && !strings.HasPrefix(end, "#") {
			return fmt.Errorf("line %d goes on after the value", line+strings.Count(value, "\n"))
		}
		if !each(name, value) {
			return nil
		}
		line += 1 + strings.Count(value, "\n")
		text = next
	}
	return nil
}
