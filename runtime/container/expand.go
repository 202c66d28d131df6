package container

import "strings"

// Expand replaces $(NAME) by what lookup knows; $$ stands for one $, and a reference that nobody
// knows stays as it is written.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func Expand(s string, lookup func(string) (string, bool)) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		text, width := expandOne(s[i:], lookup)
		out.WriteString(text)
		s = s[i+width:]
	}
}

// expandOne reads what begins with the $ at the start of s: its replacement and how much of s it takes.
func expandOne(s string, lookup func(string) (string, bool)) (string, int) {
	switch s[1] {
	case '$':
		return "$", 2
	case '(':
		end := strings.IndexByte(s, ')')
		if end < 0 {
			// Kubernetes takes an unclosed reference as the two characters that open it.
			return s[:2], 2
		}
		if value, ok := lookup(s[2:end]); ok {
			return value, end + 1
		}
		return s[:end+1], end + 1
	}
	return s[:2], 2
}
