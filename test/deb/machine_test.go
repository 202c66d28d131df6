package deb

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is a root file system that packages can be installed into: this machine's /usr with a layer over it, and
// everything else its own. systemd is not there, but for a systemctl that writes down what it is asked to do.
type machine struct {
	t    *testing.T
	root string
}

const systemctl = `#!/bin/sh
echo "$@" >>/systemctl.log
case $* in
*is-enabled*) [ -e /etc/systemd/system/multi-user.target.wants/podd.service ] && echo enabled ;;
*preset*) exec /usr/bin/systemctl.real "$@" ;; # works on files
esac
exit 0
`

// newMachine mounts on this thread only, which is given up with the test.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	if _, err := exec.LookPath("systemctl"); err != nil {
		t.Skip("no systemctl here")
	}
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	m := &machine{t, t.TempDir()}
	must(t, unix.Mount("podd-test", m.root, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { _ = unix.Unmount(m.root, unix.MNT_DETACH) })
	for _, dir := range []string{
		"layer/upper", "layer/work", "usr", "etc", "tmp", "proc", "dev", "run/systemd/system", "var/log",
		"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc/systemd/system",
	} {
		must(t, os.MkdirAll(m.at(dir), 0o755))
	}
	must(t, os.WriteFile(m.at("var/lib/dpkg/status"), nil, 0o644))
	layer := "lowerdir=/usr,upperdir=" + m.at("layer/upper") + ",workdir=" + m.at("layer/work")
	must(t, unix.Mount("podd-test", m.at("usr"), "overlay", 0, layer))
	must(t, unix.Mount("proc", m.at("proc"), "proc", 0, ""))
	must(t, unix.Mount("/dev", m.at("dev"), "", unix.MS_BIND, ""))
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		must(t, os.Symlink("usr/"+name, m.at(name)))
	}
	must(t, os.Rename(m.at("usr/bin/systemctl"), m.at("usr/bin/systemctl.real")))
	if err := os.Remove(m.at("usr/sbin/policy-rc.d")); err != nil && !errors.Is(err, fs.ErrNotExist) { // of containers: start nothing
		t.Fatal(err)
	}
	must(t, os.WriteFile(m.at("usr/bin/systemctl"), []byte(systemctl), 0o755))
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) at(path string) string { return filepath.Join(m.root, path) }

func (m *machine) exists(path string) bool {
	_, err := os.Lstat(m.at(path))
	return err == nil
}

// dpkg changes the machine and returns what systemctl was asked to do meanwhile.
func (m *machine) dpkg(args ...string) string {
	m.t.Helper()
	must(m.t, os.WriteFile(m.at("systemctl.log"), nil, 0o644))
	command := exec.Command("dpkg", append([]string{"--root=" + m.root, "--force-confold"}, args...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	output, err := command.CombinedOutput()
	if err != nil {
		m.t.Fatalf("dpkg %s: %v\n%s", args, err, output)
	}
	for line := range strings.Lines(string(output)) {
		// Folders of other packages, which this machine's dpkg does not know.
		if !strings.Contains(line, "not empty so not removed") && strings.Contains(line, ": ") {
			m.t.Errorf("dpkg %s: %s", args, line)
		}
	}
	asked, err := os.ReadFile(m.at("systemctl.log"))
	must(m.t, err)
	return string(asked)
}

// run runs a program on the machine.
func (m *machine) run(argv ...string) (string, error) {
	m.t.Helper()
	output, err := exec.Command("chroot", append([]string{m.root}, argv...)...).CombinedOutput()
	return string(output), err
}

// files lists all that differs from the machine underneath.
func (m *machine) files() []string {
	m.t.Helper()
	var list []string
	for _, top := range []string{"layer/upper", "etc", "var", "run", "tmp"} {
		must(m.t, filepath.WalkDir(m.at(top), func(path string, _ fs.DirEntry, err error) error {
			list = append(list, strings.TrimPrefix(path, m.root))
			return err
		}))
	}
	sort.Strings(list)
	return list
}
