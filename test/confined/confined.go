// Package confined reads what a container's confinement looks like from inside, as "answerer confinement" says it
// (test/answerer), and compares it with golden files. The tests of the binary use it, and those of the machines.
package confined

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Calls is how many system calls are tried, from 0 on, each with all bits of all arguments set.
const Calls = 480

// Harmful are system calls that are not tried: they end, stop or double this process, take long, or depend on who began it.
var Harmful = map[string][]uintptr{
	// rt_sigreturn, pause, fork, vfork, exit, setsid, vhangup, sync, restart_syscall, exit_group, uretprobe, uprobe
	"amd64": {15, 34, 57, 58, 60, 112, 153, 162, 219, 231, 335, 336},
	// vhangup, sync, exit, exit_group, restart_syscall, rt_sigreturn, setsid
	"arm64": {58, 81, 93, 94, 128, 139, 157},
	// restart_syscall, exit, fork, pause, sync, setsid, ssetmask, sigsuspend, vhangup, sigreturn, rt_sigreturn, vfork, exit_group
	"386": {0, 1, 2, 29, 36, 66, 69, 72, 111, 119, 173, 190, 252},
	// restart_syscall, exit, fork, pause, sync, setsid, sigsuspend, vhangup, sigreturn, rt_sigreturn, vfork, exit_group
	"arm": {0, 1, 2, 29, 36, 66, 72, 111, 119, 173, 190, 248},
}

// Report is what "answerer confinement" says: lines by section.
type Report map[string][]string

// Parse takes it as it is.
func Parse(text string) Report {
	c, section := Report{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			c[section] = []string{}
			continue
		}
		c[section] = append(c[section], line)
	}
	return c
}

func (c Report) String() string {
	b := &strings.Builder{}
	for _, section := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(b, "[%s]\n", section)
		for _, line := range c[section] {
			fmt.Fprintln(b, line)
		}
	}
	return b.String()
}

// idsOfOwn is a range of ids in a map.
var idsOfOwn = regexp.MustCompile(`^([ug]id_map 0) [1-9][0-9]* 65536$`)

// Of parses what was said in a pod, and takes out what differs from board to board. The map has the namespaces of the board,
// as links of /proc name them.
func Of(text string, board map[string]string) Report {
	c := Parse(text)
	for i, line := range c["process"] {
		c["process"][i] = idsOfOwn.ReplaceAllString(line, "$1 N 65536")
	}
	// Limits that are the machine's, and what Go's runtime opens.
	c["limits"] = slices.DeleteFunc(c["limits"], func(line string) bool {
		return strings.HasPrefix(line, "nofile ") || strings.HasPrefix(line, "memlock ") || strings.HasPrefix(line, "stack ")
	})
	c["descriptors"] = slices.DeleteFunc(c["descriptors"], func(line string) bool { return strings.Contains(line, " /sys/fs/cgroup/") })
	// AppArmor's label is another test's matter, and where version 2 of cgroups is, each container has its own namespace of them.
	c["process"] = slices.DeleteFunc(c["process"], func(line string) bool { return strings.HasPrefix(line, "apparmor ") })
	c["namespaces"] = slices.DeleteFunc(c["namespaces"], func(line string) bool { return strings.HasPrefix(line, "cgroup ") })
	for i, line := range c["namespaces"] {
		name, is, _ := strings.Cut(line, " ")
		whose := "own"
		if is == board[name] {
			whose = "the board's"
		}
		c["namespaces"][i] = name + " " + whose
	}
	// Version 1 has a mount a controller.
	var mounts []string
	cgroups := map[string]bool{}
	for _, line := range c["mounts"] {
		if throttle, _, _ := strings.Cut(line, " "); strings.HasSuffix(throttle, "/thermal_throttle") && !strings.HasSuffix(throttle, "/cpu0/thermal_throttle") {
			continue // as many as there are processors
		}
		if fields := strings.Fields(line); strings.HasPrefix(fields[0], "/sys/fs/cgroup") {
			if fields[1] == "tmpfs" {
				continue // in which the controllers of version 1 are mounted
			}
			fields[0], fields[1], fields[2] = "/sys/fs/cgroup...", "cgroup", "rw"
			line = strings.Join(fields, " ")
			if cgroups[line] {
				continue
			}
			cgroups[line] = true
		}
		mounts = append(mounts, line)
	}
	c["mounts"] = mounts
	return c
}

// CallsOf adds what became of the system calls of another ABI, as the same program says that was built for it.
func (c Report) CallsOf(abi, text string) { c["syscalls "+abi] = Parse(text)["syscalls"] }

// sweeps are the sections of system calls, of the machine's own ABI and of others.
func (c Report) sweeps() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c)), func(section string) bool { return !strings.HasPrefix(section, "syscalls") })
}

// Refused are the system calls of a section, "syscalls" of the machine's own ABI, that are refused, with their answers.
func (c Report) Refused(section string) map[string]bool {
	calls := map[string]bool{}
	for _, line := range c[section] {
		answer, numbers, _ := strings.Cut(line, " ")
		for number := range strings.FieldsSeq(numbers) {
			calls[answer+" "+number] = true
		}
	}
	return calls
}

// DropCalls takes out system calls that another container is answered in the same way, one without any filter.
func (c Report) DropCalls(of Report) {
	for _, section := range c.sweeps() {
		calls := of.Refused(section)
		var lines []string
		for _, line := range c[section] {
			answer, numbers, _ := strings.Cut(line, " ")
			left := slices.DeleteFunc(strings.Fields(numbers), func(number string) bool { return calls[answer+" "+number] })
			if len(left) > 0 {
				lines = append(lines, answer+" "+strings.Join(left, " "))
			}
		}
		c[section] = lines
	}
}

// DropMachine takes out what a privileged container has of the machine: all that the machine has.
func (c Report) DropMachine() {
	c["devices"] = slices.DeleteFunc(c["devices"], func(line string) bool { return strings.HasPrefix(line, "/dev/") })
	c["process"] = slices.DeleteFunc(c["process"], func(line string) bool { return strings.HasPrefix(line, "Cap") })
	c["abilities"] = slices.DeleteFunc(c["abilities"], func(line string) bool {
		return strings.HasPrefix(line, "socket AF_ALG ") || strings.HasPrefix(line, "unmount ")
	})
	delete(c, "paths")
	for _, section := range c.sweeps() {
		delete(c, section)
	}
}

// Compare says what differs. A file that this kernel has not got is none, nor is a mount on it.
func (c Report) Compare(got Report) []string {
	var differences []string
	missing := map[string]bool{}
	for _, line := range got["paths"] {
		if path, ok := strings.CutSuffix(line, " ENOENT"); ok {
			missing[path] = true
		}
	}
	for section := range c {
		if _, there := got[section]; !there {
			differences = append(differences, "missing: "+section)
		}
	}
	for section, lines := range got {
		for _, line := range lines {
			if path, ok := strings.CutSuffix(line, " ENOENT"); slices.Contains(c[section], line) || ok && missing[path] {
				continue
			}
			differences = append(differences, fmt.Sprintf("unexpected in %s: %s", section, line))
		}
		for _, line := range c[section] {
			path, _, _ := strings.Cut(line, " ")
			if !slices.Contains(lines, line) && !missing[path] {
				differences = append(differences, fmt.Sprintf("missing in %s: %s", section, line))
			}
		}
	}
	slices.Sort(differences)
	return differences
}
