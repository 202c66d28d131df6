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
	vars, err := parseFile(strings.ReplaceAll(string(text), "\r\n", "\n"))
	if err != nil {
		return "", fmt.Errorf("cannot read file %s of volume %s: %w", r.Path, r.VolumeName, err)
	}
	value, ok := vars[r.Key]
	if !ok {
		return "", &missing{fmt.Sprintf("environment variable key %q not found in file %q", r.Key, r.Path)}
	}
	return value, nil
}

// parseFile reads lines NAME='VALUE': the value stands in single quotes, may go over several lines and has no
// escapes. Blank lines and lines that begin with # say nothing. The last of two values of a name counts.
func parseFile(text string) (map[string]string, error) {
	vars := map[string]string{}
	for line := 1; text != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(head)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			text = rest
			line++
			continue
		}
		name, _, ok := strings.Cut(trimmed, "='")
		if !ok || name == "" || strings.ContainsAny(name, " \t='") {
			return nil, fmt.Errorf("line %d is not of the form NAME='VALUE'", line)
		}
		_, after, _ := strings.Cut(text, "='")
		value, tail, closed := strings.Cut(after, "'")
		if !closed {
			return nil, fmt.Errorf("the quote that line %d opens is not closed", line)
		}
		end, next, _ := strings.Cut(tail, "\n")
		if end = strings.TrimSpace(end); end != "" && !strings.HasPrefix(end, "#") {
			return nil, fmt.Errorf("line %d goes on after the value", line+strings.Count(value, "\n"))
		}
		vars[name] = value
		line += 1 + strings.Count(value, "\n")
		text = next
	}
	return vars, nil
}
