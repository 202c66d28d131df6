package security

import (
	"archive/tar"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"podd/images/imagetest"
	"podd/test/confined"
	"podd/test/harness"
)

var updateConfinement = flag.Bool("update-confinement", false, "write the golden files of TestConfinementAgainstGoldenFiles")

// What confines a container, whole, against golden files: credentials, limits, namespaces, open files, mounts, devices,
// files of the kernel, what a hostile program tries first, and every system call. An exec has no more than the first process.
func TestConfinementAgainstGoldenFiles(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	compat := probeImage(b)
	b.LoadImages("busybox.tar")
	b.MustStart()
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
	board := map[string]string{}
	for _, name := range []string{"ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.Pid(), name))
		b.Must(err)
		board[name] = link
	}
	of := func(name, script string) confined.Report {
		b.T.Helper()
		c := confined.Of(b.Sh(name, "main", script), board)
		if compat {
			c.CallsOf("386", b.Sh(name, "main", "answerer-386 confinement"))
		}
		return c
	}
	found := map[string]confined.Report{}
	for name := range pods {
		b.Running(name)
		found[name] = of(name, "until grep -q '^.syscalls' /tmp/first; do sleep 0.1; done; sleep 0.5; cat /tmp/first")
	}
	// What nobody filters is what the kernel refuses by itself, or has not got.
	byItself := maps.Clone(found["privileged"])
	for name, c := range found {
		again := of(name, "answerer confinement")
		for _, each := range []confined.Report{c, again} {
			each.DropCalls(byItself)
			if name == "privileged" {
				each.DropMachine()
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
		want := confined.Parse(string(data))
		want.DropCalls(byItself)
		if runtime.GOARCH != "amd64" { // their numbers are an architecture's; TestBoard of test/vm has those of arm64
			for _, each := range []confined.Report{want, c, again} {
				delete(each, "syscalls")
			}
		}
		if !compat {
			delete(want, "syscalls 386")
		}
		for what, got := range map[string]confined.Report{"the first process": c, "a command": again} {
			for _, difference := range want.Compare(got) {
				t.Errorf("%s, %s: %s", name, what, difference)
			}
		}
	}
}

// probeImage gives the board an image of the probe, with one for the 32-bit ABI of x86 if the kernel runs such programs.
func probeImage(b *harness.Board) (compat bool) {
	b.T.Helper()
	program, err := harness.Answerer()
	b.Must(err)
	files := []imagetest.File{{Header: tar.Header{Name: "bin/answerer", Mode: 0o755}, Data: program}}
	if runtime.GOARCH == "amd64" {
		program, err = harness.Answerer386()
		b.Must(err)
		path := filepath.Join(b.Dir, "answerer-386")
		b.Must(os.WriteFile(path, program, 0o700))
		if compat = exec.Command(path, "syscalls", "20").Run() == nil; compat {
			files = append(files, imagetest.File{Header: tar.Header{Name: "bin/answerer-386", Mode: 0o755}, Data: program})
		}
	}
	archive, err := imagetest.Busybox("answerer", imagetest.Config{}, files...)
	b.Must(err)
	b.Must(os.WriteFile(filepath.Join(b.Images, "probe.tar"), archive, 0o600))
	return compat
}
