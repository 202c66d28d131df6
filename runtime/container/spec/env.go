package spec

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// env is an environment in the order of its first mention, the last value of a name winning.
type env struct {
	names  []string
	values map[string]string
}

func (e *env) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *env) setPair(pair string) {
	name, value, _ := strings.Cut(pair, "=")
	e.set(name, value)
}

func (e *env) list() []string {
	pairs := make([]string, 0, len(e.names))
	for _, name := range e.names {
		pairs = append(pairs, name+"="+e.values[name])
	}
	return pairs
}

// declaredEnv is what the manifest declares. Resolved values are not looked at for references again.
func declaredEnv(c *Config) *env {
	if c.Env == nil {
		return manifestEnv(c.Container.Env)
	}
	return plainEnv(c.Env)
}

// plainEnv has values as they are written.
func plainEnv(vars []corev1.EnvVar) *env {
	e := &env{values: make(map[string]string, len(vars))}
	for _, v := range vars {
		e.set(v.Name, v.Value)
	}
	return e
}

// manifestEnv is the environment that the manifest declares, each value expanded with the ones above it.
func manifestEnv(vars []corev1.EnvVar) *env {
	e := &env{values: make(map[string]string, len(vars))}
	for _, v := range vars {
		e.set(v.Name, Expand(v.Value, e.lookup))
	}
	return e
}

func (e *env) lookup(name string) (string, bool) {
	value, ok := e.values[name]
	return value, ok
}

// processEnv lays the manifest's environment over the image's, as a CRI runtime does.
func processEnv(c *Config, declared *env) []string {
	e := &env{values: make(map[string]string, len(c.Image.Env)+len(declared.names)+3)}
	e.setPair(defaultPath)
	if c.Container.TTY {
		e.set("TERM", "xterm")
	}
	e.set("HOSTNAME", c.Sandbox.Hostname)
	for _, pair := range c.Image.Env {
		e.setPair(pair)
	}
	for _, name := range declared.names {
		e.set(name, declared.values[name])
	}
	return e.list()
}

// processArgs is what the container runs: command replaces the image's entrypoint, args its cmd, and a
// command alone drops the image's cmd too.
// https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
func processArgs(c *Config, declared *env) []string {
	command := expandAll(c.Container.Command, declared)
	args := expandAll(c.Container.Args, declared)
	if len(command) == 0 {
		command = c.Image.Entrypoint
		if len(args) == 0 {
			args = c.Image.Cmd
		}
	}
	return append(append([]string{}, command...), args...)
}

// ExpandCommand expands a probe's command with what the manifest declares, word for word: neither what only the image
// declares nor the references in a value are known to it. Source: kubernetes, pkg/kubelet/container,
// ExpandContainerCommandOnlyStatic.
func ExpandCommand(command []string, vars []corev1.EnvVar) []string {
	return expandAll(command, plainEnv(vars))
}

func expandAll(list []string, e *env) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Expand(s, e.lookup)
	}
	return out
}

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
