package security

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"podd/test/harness"
)

var updateConfinement = flag.Bool("update-confinement", false, "write the golden files of TestConfinementAgainstGoldenFiles")

// What confines a container, whole, against golden files: credentials, limits, namespaces, open files, mounts, devices,
// files of the kernel, what a hostile program tries first, and every system call. An exec has no more than the first process.
func TestConfinementAgainstGoldenFiles(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	const answer = "answerer confinement >/tmp/first 2>&1; "
	pods := map[string]string{
		"plain": harness.PodOf("plain", "hostUsers: true", harness.Probed("main", answer+harness.Forever)),
		"restricted": harness.PodOf("restricted", "hostUsers: true\nsecurityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, seccompProfile: {type: RuntimeDefault}}\nvolumes: [{name: tmp, emptyDir: {}}]",
			harness.Probed("main", answer+harness.Forever, "securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}\nvolumeMounts: [{name: tmp, mountPath: /tmp}]")),
		"users":      harness.PodOf("users", "hostUsers: false", harness.Probed("main", answer+harness.Forever)),
		"host":       harness.PodOf("host", "hostNetwork: true\nhostPID: true\nhostIPC: true", harness.Probed("main", answer+harness.Forever)),
		"privileged": harness.PodOf("privileged", "hostUsers: true", harness.Probed("main", answer+harness.Forever, "securityContext: {privileged: true}")),
	}
	for name, manifest := range pods {
		b.MustDrop(name, manifest)
	}
	found := map[string]confinement{}
	for name := range pods {
		b.Running(name)
		found[name] = confinementOf(b, b.Sh(name, "main", "until grep -q '^.syscalls' /tmp/first; do sleep 0.1; done; sleep 0.5; cat /tmp/first"))
	}
	// What nobody filters is what the kernel refuses by itself, or has not got.
	byItself := found["privileged"].calls()
	for name, c := range found {
		again := confinementOf(b, b.Sh(name, "main", "answerer confinement"))
		for _, each := range []confinement{c, again} {
			each.dropCalls(byItself)
			if name == "privileged" {
				each.dropMachine()
			}
			if name == "host" { // /dev/shm is the machine's
				each["mounts"] = slices.DeleteFunc(each["mounts"], func(line string) bool { return strings.HasPrefix(line, "/dev/shm ") })
			}
		}
		// A command has pipes, and no session keyring (TestKeysOfContainers).
		again["descriptors"] = c["descriptors"]
		for i, line := range again["process"] {
			if name == "privileged" && line == "session keyring EKEYREVOKED" {
				again["process"][i] = "session keyring true"
			}
		}
		golden := filepath.Join("testdata", "confinement", name)
		if *updateConfinement {
			b.Must(os.MkdirAll(filepath.Dir(golden), 0o755))
			b.Must(os.WriteFile(golden, []byte(c.String()), 0o644))
			continue
		}
		data, err := os.ReadFile(golden)
		b.Must(err)
		want := parseConfinement(string(data))
		want.dropCalls(byItself)
		if runtime.GOARCH != "amd64" {
			delete(want, "syscalls") // their numbers are an architecture's
			delete(c, "syscalls")
			delete(again, "syscalls")
		}
		for what, got := range map[string]confinement{"the first process": c, "a command": again} {
			for _, difference := range want.compare(got) {
				t.Errorf("%s, %s: %s", name, what, difference)
			}
		}
	}
}

// confinement is what "answerer confinement" says: lines by section.
type confinement map[string][]string

func parseConfinement(text string) confinement {
	c, section := confinement{}, ""
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

func (c confinement) String() string {
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

// confinementOf parses what was said in a pod, and takes out what differs from board to board.
func confinementOf(b *harness.Board, text string) confinement {
	b.T.Helper()
	c := parseConfinement(text)
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
		host, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.Pid(), name))
		b.Must(err)
		whose := "own"
		if is == host {
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

// calls are the system calls that are refused, with their answers.
func (c confinement) calls() map[string]bool {
	calls := map[string]bool{}
	for _, line := range c["syscalls"] {
		answer, numbers, _ := strings.Cut(line, " ")
		for number := range strings.FieldsSeq(numbers) {
			calls[answer+" "+number] = true
		}
	}
	return calls
}

// dropCalls takes out system calls that are answered so without any filter.
func (c confinement) dropCalls(calls map[string]bool) {
	var lines []string
	for _, line := range c["syscalls"] {
		answer, numbers, _ := strings.Cut(line, " ")
		left := slices.DeleteFunc(strings.Fields(numbers), func(number string) bool { return calls[answer+" "+number] })
		if len(left) > 0 {
			lines = append(lines, answer+" "+strings.Join(left, " "))
		}
	}
	c["syscalls"] = lines
}

// dropMachine takes out what a privileged container has of the machine: all that the machine has.
func (c confinement) dropMachine() {
	c["devices"] = slices.DeleteFunc(c["devices"], func(line string) bool { return strings.HasPrefix(line, "/dev/") })
	c["process"] = slices.DeleteFunc(c["process"], func(line string) bool { return strings.HasPrefix(line, "Cap") })
	c["abilities"] = slices.DeleteFunc(c["abilities"], func(line string) bool {
		return strings.HasPrefix(line, "socket AF_ALG ") || strings.HasPrefix(line, "unmount ")
	})
	delete(c, "paths")
	delete(c, "syscalls")
}

// compare says what differs. A file that this kernel has not got is none, nor is a mount on it.
func (c confinement) compare(got confinement) []string {
	var differences []string
	missing := map[string]bool{}
	for _, line := range got["paths"] {
		if path, ok := strings.CutSuffix(line, " ENOENT"); ok {
			missing[path] = true
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
