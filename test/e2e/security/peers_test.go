package security

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/moby/sys/capability"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/images/imagetest"
	"podd/test/confined"
	"podd/test/harness"
	"podd/test/lab"
)

// What podd's ordinary container has that a peer's has not, and why. Nothing else may be.
var moreThanPeers = []struct{ what, peers, why string }{
	{
		`^capability (CHOWN|DAC_OVERRIDE|FOWNER|FSETID|MKNOD|NET_RAW|SETFCAP|SETGID|SETPCAP|SETUID|SYS_CHROOT)$`, "podman runc",
		"a container of Kubernetes has the capabilities that containerd and Docker give it; `capabilities: {drop: [ALL]}` takes them away",
	},
	{`^(chroot|socket AF_PACKET|socket raw|system call 116|opens device .*)$`, "podman runc", "by these capabilities (116 is setgroups)"},
	{
		`^privileges of setuid programs$`, "runc",
		"`allowPrivilegeEscalation` is true in Kubernetes unless said; `noNewPrivileges: true` of the configuration turns that round",
	},
	{`^writes to (/|/proc/interrupts)$`, "runc", "`readOnlyRootFilesystem` is false in Kubernetes unless said"},
	{
		`^system call (449|45[1-8]|46[2-9])$`, "podman docker",
		"calls that are newer than the peer's profile or its libseccomp, such as futex_waitv, cachestat and mseal; Docker's profile allows them",
	},
	{`^system call 333$`, "podman", "io_pgetevents, which does what io_getevents does, which both allow"},
	{
		`^(writes to|runs programs in) (/etc/resolv.conf|/etc/hosts|/etc/hostname|/dev/termination-log)$`, "podman docker runc",
		"files of the pod, as a kubelet makes them, without devices and setuid programs",
	},
}

// peerNames are the columns of docs/confinement.md.
var peerNames = []struct{ name, title string }{
	{"podd", "podd"},
	{"host-users", "podd, `hostUsers: true`"},
	{"podman", "podman"},
	{"docker", "runc as Docker's"},
	{"runc", "runc"},
}

// Beside the same program in default containers of podman's and runc's, podd's ordinary one has nothing more but what
// moreThanPeers says: no capability, system call, place to write to, device or file of the kernel. docs/confinement.md shows
// them side by side. It is skipped where there are none: hack/deps.sh peers.
func TestConfinementBesidePeers(t *testing.T) {
	t.Parallel()
	var versions []string
	for _, peer := range []string{"podman", "crun", "runc"} {
		out, err := exec.Command(peer, "--version").Output()
		if err != nil {
			t.Skipf("no %s here", peer)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		versions = append(versions, strings.ReplaceAll(line, " version", ""))
	}
	b := harness.NewProbedBoard(t)
	found, host := confinementOfPeers(b)
	b.MustDrop("podd", harness.PodOf("podd", "restartPolicy: Never", harness.Probed("main", "exec answerer confinement")))
	b.MustDrop("host-users", harness.PodOf("host-users", "hostUsers: true\nrestartPolicy: Never", harness.Probed("main", "exec answerer confinement")))
	for _, name := range []string{"podd", "host-users"} {
		b.WaitPod(name, harness.IsPhase("Succeeded"))
		found[name] = confined.Parse(b.LogsOf(name))
	}
	for name := range found {
		nameNamespaces(found[name], append(host, b.Pid()))
	}
	reasons := map[string][]string{}
	for _, own := range []string{"podd", "host-users"} {
		for _, peer := range []string{"podman", "docker", "runc"} {
			has := powersOf(found[peer])
			for _, power := range slices.Sorted(maps.Keys(powersOf(found[own]))) {
				if has[power] {
					continue
				}
				at := slices.IndexFunc(moreThanPeers, func(m struct{ what, peers, why string }) bool {
					return slices.Contains(strings.Fields(m.peers), peer) && regexp.MustCompile(m.what).MatchString(power)
				})
				if at < 0 {
					t.Errorf("a container of podd's (%s) has more than %s's: %s", own, peer, power)
					continue
				}
				if own == "podd" {
					reasons[moreThanPeers[at].why] = append(reasons[moreThanPeers[at].why], peer+": "+power)
				}
			}
		}
	}
	var utsname unix.Utsname
	b.Must(unix.Uname(&utsname))
	release := strings.SplitN(unix.ByteSliceToString(utsname.Release[:]), ".", 3)
	compareWithDoc(b, fmt.Sprintf("%s, Linux %s.%s, %s, cgroups of version 1", strings.Join(versions, ", "), release[0], release[1], unix.ByteSliceToString(utsname.Machine[:])), found, reasons)
}

// confinementOfPeers runs the probe in a container of podman's, in one of runc's own configuration (runc spec), and in one of
// runc's as Docker configures it, and returns the process that has their outer namespaces, too.
func confinementOfPeers(b *harness.Board) (map[string]confined.Report, []int) {
	b.T.Helper()
	peers, err := lab.NewPeers(filepath.Join(b.Dir, "peers"), harness.Suite.Cgroup, "peers")
	b.Must(err)
	b.T.Cleanup(func() {
		if err := peers.Close(); err != nil {
			b.T.Errorf("the peers do not end: %v", err)
		}
	})
	found := map[string]confined.Report{}
	run := func(command *exec.Cmd) string {
		b.T.Helper()
		said := &bytes.Buffer{}
		command.Stderr = said
		out, err := command.Output()
		if err != nil {
			b.T.Fatalf("%v: %v: %s", command.Args, err, said)
		}
		return string(out)
	}
	program, err := harness.Answerer()
	b.Must(err)
	image, err := imagetest.Busybox("localhost/probe:1", imagetest.Config{}, imagetest.File{Header: tar.Header{Name: "bin/answerer", Mode: 0o755}, Data: program})
	b.Must(err)
	file := filepath.Join(peers.Dir, "probe.tar")
	b.Must(os.WriteFile(file, image, 0o600))
	run(peers.Podman("load", "-i", file))
	found["podman"] = confined.Parse(run(peers.Podman("run", "--rm", "--network", "none", "localhost/probe:1", "answerer", "confinement")))

	bundle := filepath.Join(peers.Dir, "bundle")
	for _, dir := range []string{"bin", "tmp", "etc"} {
		b.Must(os.MkdirAll(filepath.Join(bundle, "rootfs", dir), 0o755))
	}
	b.Must(os.WriteFile(filepath.Join(bundle, "rootfs/bin/answerer"), program, 0o755))
	run(peers.Command("runc", "spec", "--bundle", bundle))
	config := filepath.Join(bundle, "config.json")
	for _, name := range []string{"runc", "docker"} {
		var spec specs.Spec
		b.Must(json.Unmarshal([]byte(b.ReadFile(config)), &spec))
		spec.Process.Args, spec.Process.Terminal = []string{"/bin/answerer", "confinement"}, false
		if name == "docker" {
			b.Must(asDockers(&spec))
		}
		data, err := json.Marshal(spec)
		b.Must(err)
		b.Must(os.WriteFile(config, data, 0o600))
		found[name] = confined.Parse(run(peers.Command("runc", "--root", "/run/runc", "run", "--bundle", bundle, name)))
	}
	return found, []int{os.Getpid(), peers.Holder()}
}

// asDockers changes the configuration that runc proposes to what Docker has: its capabilities, its seccomp profile, its masks.
// https://github.com/moby/moby/blob/master/daemon/pkg/oci/defaults.go
func asDockers(spec *specs.Spec) error {
	capabilities := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
		"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
	spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities}
	spec.Process.NoNewPrivileges, spec.Root.Readonly = false, false
	spec.Linux.MaskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	var err error
	spec.Linux.Seccomp, err = seccomp.GetDefaultProfile(spec)
	return err
}

// nameNamespaces says whose the namespaces are: those of the given processes are the machine's.
func nameNamespaces(c confined.Report, machine []int) {
	for i, line := range c["namespaces"] {
		name, is, _ := strings.Cut(line, " ")
		whose := "own"
		for _, pid := range machine {
			if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name)); err == nil && link == is {
				whose = "the machine's"
			}
		}
		c["namespaces"][i] = name + " " + whose
	}
}

// valueOf is the rest of the line that begins so.
func valueOf(c confined.Report, section, key string) string {
	for _, line := range c[section] {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			return rest
		}
	}
	return ""
}

// masked: /dev/null is mounted on a file, or an empty folder.
func masked(line string) bool {
	return strings.HasSuffix(line, " read empty write ok") || strings.Contains(line, " empty mkdir E")
}

// powersOf are what a container can do or has, each in words that are the same for all that make containers.
func powersOf(c confined.Report) map[string]bool {
	powers := map[string]bool{}
	add := func(when bool, format string, args ...any) {
		if when {
			powers[fmt.Sprintf(format, args...)] = true
		}
	}
	for key, what := range map[string]string{"CapPrm": "", "CapEff": "", "CapBnd": "", "CapInh": "inheritable ", "CapAmb": "ambient "} {
		bits, err := strconv.ParseUint(valueOf(c, "process", key), 16, 64)
		add(err != nil, "unknown %s", key)
		for _, one := range capability.ListKnown() {
			add(bits&(1<<uint(one)) != 0, "%scapability %s", what, strings.ToUpper(one.String()))
		}
	}
	add(valueOf(c, "process", "NoNewPrivs") != "1", "privileges of setuid programs")
	add(valueOf(c, "process", "Seccomp") != "2", "no seccomp filter")
	add(valueOf(c, "process", "session keyring") == "true", "a session keyring")
	add(strings.HasPrefix(valueOf(c, "process", "uid_map"), "0 0 "), "users of the machine")
	add(strings.HasPrefix(valueOf(c, "process", "gid_map"), "0 0 "), "groups of the machine")
	for _, name := range []string{"core", "nice", "rtprio"} {
		add(true, "limit %s %s", name, valueOf(c, "limits", name))
	}
	for _, line := range c["namespaces"] {
		add(strings.HasSuffix(line, " the machine's"), "namespace %s", line)
	}
	for _, line := range c["descriptors"] {
		number, kind, _ := strings.Cut(line, " ")
		// Go's runtime keeps files of its cgroup open.
		add(len(number) > 1 || number > "2" && !strings.HasPrefix(kind, "/sys/fs/cgroup/"), "descriptor %s", kind)
	}
	for _, line := range c["abilities"] {
		what, can := strings.CutSuffix(line, " ok")
		add(can, "%s", what)
	}
	nodes := map[string]bool{}
	for _, line := range c["devices"] {
		fields := strings.Fields(line)
		nodes[fields[0]] = true
		add(strings.HasPrefix(line, "/dev/"), "device %s", line)
		add(fields[0] == "open" && fields[2] == "allowed", "opens device %s", fields[1])
	}
	for _, line := range c["paths"] {
		path, rest, _ := strings.Cut(line, " ")
		add(strings.HasPrefix(rest, "entries"), "lists %s", path)
		add(strings.HasSuffix(rest, "mkdir ok"), "makes folders in %s", path)
		add(strings.HasPrefix(rest, "read ok"), "reads %s", path)
		add(strings.HasSuffix(rest, "write ok") && !masked(line), "writes to %s", path)
	}
	for _, line := range c["mounts"] {
		fields := strings.Fields(line)
		at, kind, flags := fields[0], fields[1], strings.Split(fields[3], ",")
		if strings.HasPrefix(at, "/sys/fs/cgroup") {
			at = "/sys/fs/cgroup" // version 1 has a mount a controller
		} else if nodes[at] || (strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/sys/")) && strings.HasSuffix(kind, "tmpfs") {
			continue // a device, and what lies over a masked path: "devices" and "paths" say what they are
		}
		writable := fields[2] == "rw" && slices.Contains(flags, "rw")
		add(writable, "writes to %s", at)
		add(!slices.Contains(flags, "noexec"), "runs programs in %s", at)
		add(!slices.Contains(flags, "nosuid"), "setuid programs in %s", at)
		add(!slices.Contains(flags, "nodev"), "device nodes in %s", at)
		add(fields[4] != "private", "takes part in mounts at %s", at)
	}
	refused := map[string]bool{}
	for call := range c.Refused("syscalls") {
		_, number, _ := strings.Cut(call, " ")
		refused[number] = true
	}
	for number := range 480 {
		add(!refused[strconv.Itoa(number)], "system call %d", number)
	}
	return powers
}

// sideBySide are the rows of docs/confinement.md.
var sideBySide = []struct {
	what string
	of   func(confined.Report) string
}{
	{"ids", func(c confined.Report) string {
		if powersOf(c)["users of the machine"] {
			return "the machine's"
		}
		return "its own"
	}},
	{"capabilities", func(c confined.Report) string { return strconv.Itoa(countOf(c, "capability ")) }},
	{"ambient or inheritable ones", func(c confined.Report) string {
		return strconv.Itoa(countOf(c, "ambient capability ") + countOf(c, "inheritable capability "))
	}},
	{"setuid programs", func(c confined.Report) string {
		if powersOf(c)["privileges of setuid programs"] {
			return "work"
		}
		return "do nothing"
	}},
	{"seccomp", func(c confined.Report) string {
		if powersOf(c)["no seccomp filter"] {
			return "none"
		}
		return "filter"
	}},
	{"system calls that are refused", func(c confined.Report) string { return strconv.Itoa(len(c.Refused("syscalls"))) }},
	{"sockets that can be made", func(c confined.Report) string {
		var can []string
		for _, one := range []string{"AF_ALG", "AF_VSOCK", "AF_PACKET", "raw"} {
			if powersOf(c)["socket "+one] {
				can = append(can, one)
			}
		}
		return strings.Join(can, ", ")
	}},
	{"AppArmor", func(c confined.Report) string {
		if label := valueOf(c, "process", "apparmor"); label != "ENOENT" && label != "EINVAL" {
			return label
		}
		return "the kernel has none"
	}},
	{"keyring", func(c confined.Report) string {
		if valueOf(c, "process", "session keyring") == "true" {
			return "its own, can be used"
		}
		return "cannot be used"
	}},
	{"device nodes", func(c confined.Report) string { return strconv.Itoa(countOf(c, "device /dev/")) }},
	{"other devices it may open", func(c confined.Report) string {
		var can []string
		for power := range powersOf(c) {
			if name, ok := strings.CutPrefix(power, "opens device "); ok {
				can = append(can, name)
			}
		}
		return strings.Join(slices.Sorted(slices.Values(can)), ", ")
	}},
	{"root file system", func(c confined.Report) string {
		if powersOf(c)["writes to /"] {
			return "writable"
		}
		return "read-only"
	}},
	{"programs in /dev", func(c confined.Report) string {
		if powersOf(c)["runs programs in /dev"] {
			return "run"
		}
		return "do not run"
	}},
	{"of the kernel's files, shown", func(c confined.Report) string {
		var shown []string
		for _, line := range c["paths"] {
			path, rest, _ := strings.Cut(line, " ")
			switch path {
			case "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
				"/proc/timer_list", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware":
				if strings.HasPrefix(rest, "entries") || strings.HasPrefix(rest, "read ok") {
					shown = append(shown, path)
				}
			}
		}
		return strings.Join(shown, ", ")
	}},
	{"of the kernel's files, writable", func(c confined.Report) string {
		var writable []string
		for _, line := range c["paths"] {
			path, rest, _ := strings.Cut(line, " ")
			if !masked(line) && strings.HasSuffix(rest, " ok") && !strings.HasPrefix(rest, "read E") && strings.Contains(rest, "write ok") || strings.HasSuffix(rest, "mkdir ok") {
				writable = append(writable, path)
			}
		}
		return strings.Join(writable, ", ")
	}},
	{"largest core dump", func(c confined.Report) string {
		limit, _, _ := strings.Cut(valueOf(c, "limits", "core"), " ")
		return limit
	}},
	{"the machine's namespaces", func(c confined.Report) string {
		var shared []string
		for _, line := range c["namespaces"] {
			if name, ok := strings.CutSuffix(line, " the machine's"); ok {
				shared = append(shared, name)
			}
		}
		return strings.Join(shared, ", ")
	}},
}

func countOf(c confined.Report, prefix string) int {
	n := 0
	for power := range powersOf(c) {
		if strings.HasPrefix(power, prefix) {
			n++
		}
	}
	return n
}

// compareWithDoc holds docs/confinement.md to what was found, where it was written of the same kernel and the same peers.
func compareWithDoc(b *harness.Board, versions string, found map[string]confined.Report, reasons map[string][]string) {
	b.T.Helper()
	const begin, end = "<!-- begin: TestConfinementBesidePeers -->\n", "<!-- end -->\n"
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s.\n\n|", versions)
	for _, peer := range peerNames {
		fmt.Fprintf(text, " | %s", peer.title)
	}
	fmt.Fprintf(text, " |\n|---%s|\n", strings.Repeat("|---", len(peerNames)))
	for _, row := range sideBySide {
		fmt.Fprintf(text, "| %s", row.what)
		for _, peer := range peerNames {
			cell := row.of(found[peer.name])
			if cell == "" {
				cell = "none"
			}
			fmt.Fprintf(text, " | %s", cell)
		}
		fmt.Fprintln(text, " |")
	}
	fmt.Fprintln(text, "\nWhat podd's has that another has not:\n\n| Than | What | Why |\n|---|---|---|")
	for _, more := range moreThanPeers {
		than := map[string][]string{}
		for _, one := range reasons[more.why] {
			peer, power, _ := strings.Cut(one, ": ")
			than[power] = append(than[power], peer)
		}
		var peers, powers []string
		for _, power := range slices.Sorted(maps.Keys(than)) {
			powers = append(powers, power)
			peers = append(peers, than[power]...)
		}
		if len(powers) > 0 {
			fmt.Fprintf(text, "| %s | %s | %s |\n", strings.Join(slices.Compact(slices.Sorted(slices.Values(peers))), ", "), shorten(powers), more.why)
		}
	}
	fmt.Fprintln(text)
	file := filepath.Join("..", "..", "..", "docs", "confinement.md")
	data, err := os.ReadFile(file)
	b.Must(err)
	before, rest, _ := strings.Cut(string(data), begin)
	is, after, whole := strings.Cut(rest, end)
	if !whole {
		b.T.Fatalf("%s has no place for the table", file)
	}
	if *updateConfinement {
		b.Must(os.WriteFile(file, []byte(before+begin+text.String()+end+after), 0o644))
		return
	}
	if !strings.HasPrefix(is, versions+".\n") {
		b.T.Logf("%s is of other versions than %s", file, versions)
		return
	}
	if is != text.String() {
		b.T.Errorf("%s is not what was found:\n%s", file, text)
	}
}

// shorten writes what begins with the same word once: "capability A, B".
func shorten(powers []string) string {
	out, last := "", ""
	for _, power := range powers {
		at := strings.LastIndexByte(power, ' ')
		start, word := power[:max(at, 0)], power[at+1:]
		switch {
		case out == "":
			out = power
		case start == last:
			out += ", " + word
		default:
			out += "; " + power
		}
		last = start
	}
	return out
}
