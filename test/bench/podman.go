package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

// podman runs in a cgroup namespace of its own: it makes its cgroups below the root that it sees, and that root is then
// the cgroup whose CPU is counted, whatever daemonises.
type podman struct {
	dir    string
	cgroup *lab.Cgroup
	holder *exec.Cmd // the process that holds the namespaces
	serial int
}

// podmanConf lets podman work without systemd and without CAP_SYS_RESOURCE (default_ulimits).
const podmanConf = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
`

// podmanNamespaces is run in fresh mount and cgroup namespaces. crun refuses the hybrid mode, a version 2 mount beside
// version 1 ones: in the hybrid mode only those of version 1 are mounted again.
const podmanNamespaces = `set -e
mount --make-rprivate /
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	mount -t cgroup2 none /sys/fs/cgroup
else
	mounts=$(awk '$3 == "cgroup" { print $2 }' /proc/mounts)
	umount -l /sys/fs/cgroup
	mount -t tmpfs none /sys/fs/cgroup
	for m in $mounts; do
		name=${m##*/}
		mkdir "$m"
		case $name in systemd) options=none,name=systemd ;; *) options=$name ;; esac
		mount -t cgroup -o "$options" none "$m"
	done
fi
mount -t tmpfs none /dev/shm
mount -t tmpfs none /run
echo ready
exec sleep 1000000
`

func newPodman(dir string, group *lab.Cgroup, w *workload) (*podman, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, err
	}
	p := &podman{dir: filepath.Join(dir, "podman")}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "containers.conf"), []byte(podmanConf), 0o600); err != nil {
		return nil, err
	}
	var err error
	if p.cgroup, err = group.Child("podman"); err != nil {
		return nil, err
	}
	if err := p.hold(); err != nil {
		return nil, err
	}
	if _, err := p.run("load", "-i", w.archive); err != nil {
		return nil, err
	}
	return p, nil
}

// hold starts the process whose namespaces every podman command enters.
func (p *podman) hold() error {
	argv := p.cgroup.Wrap([]string{"unshare", "-m", "-C", "sh", "-c", podmanNamespaces})
	p.holder = exec.Command(argv[0], argv[1:]...)
	p.holder.Stderr = os.Stderr
	pipe, err := p.holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.holder.Start(); err != nil {
		return err
	}
	answer := make([]byte, 6)
	if _, err := pipe.Read(answer); err != nil {
		return fmt.Errorf("cannot make podman's namespaces: %w", err)
	}
	return nil
}

// command makes a podman command. nsenter costs it about a millisecond.
func (p *podman) command(args ...string) *exec.Cmd {
	pid := strconv.Itoa(p.holder.Process.Pid)
	argv := []string{
		"nsenter", "-t", pid, "-m", "-C", "--", "podman", "--root", filepath.Join(p.dir, "root"),
		"--runroot", "/run/podman", "--tmpdir", "/run/libpod",
	}
	argv = p.cgroup.Wrap(append(argv, args...))
	command := exec.Command(argv[0], argv[1:]...)
	command.Dir = p.dir
	command.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(p.dir, "containers.conf"))
	return command
}

func (p *podman) run(args ...string) (cost, error) {
	before, err := p.cgroup.CPU()
	if err != nil {
		return cost{}, err
	}
	start := monotonic()
	// A file, not a pipe: conmon keeps the descriptors, and waiting for the end of a pipe would wait for conmon.
	output, err := os.Create(filepath.Join(p.dir, "output"))
	if err != nil {
		return cost{}, err
	}
	defer output.Close()
	command := p.command(args...)
	command.Stdout, command.Stderr = output, output
	err = command.Run()
	wall := monotonic() - start
	if err != nil {
		said, _ := os.ReadFile(output.Name())
		return cost{}, fmt.Errorf("podman %s: %w: %s", strings.Join(args, " "), err, said)
	}
	time.Sleep(settle)
	after, err := p.cgroup.CPU()
	return cost{wall: wall, cpu: after - before}, err
}

// play plays pods of the given number of containers and measures up to the last first instruction.
func (p *podman) play(pods, containers int) (cost, error) {
	p.serial++
	var documents []string
	for i := range pods {
		documents = append(documents, manifest(fmt.Sprintf("pod-%d-%d", p.serial, i), containers))
	}
	file := filepath.Join(p.dir, "pods.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(documents, "---\n")), 0o600); err != nil {
		return cost{}, err
	}
	start := monotonic()
	c, err := p.run("kube", "play", file)
	if err != nil {
		return cost{}, err
	}
	stamp, err := awaitStamps(filepath.Join(p.dir, "root/overlay-containers/*/userdata/ctr.log"), pods*containers, patience)
	c.wall = stamp - start
	return c, err
}

// down removes all pods; the workload obeys TERM.
func (p *podman) down() (cost, error) {
	if _, err := os.Stat(filepath.Join(p.dir, "pods.yaml")); err != nil {
		return cost{}, err
	}
	return p.run("kube", "down", filepath.Join(p.dir, "pods.yaml"))
}

// clear removes all pods the quick way: podman itself waits seconds for each cgroup that is still busy, so nothing is
// left alive for it to wait for.
func (p *podman) clear() error {
	for _, pid := range p.cgroup.Pids() {
		if pid != p.holder.Process.Pid {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	_, err := p.run("pod", "rm", "-a", "-f", "-t", "0")
	return err
}

func (p *podman) exec() (cost, error) {
	return p.run("exec", fmt.Sprintf("pod-%d-0-c0", p.serial), "/stamp", "x")
}

func (p *podman) close() error {
	err := p.clear()
	return errors.Join(err, p.cgroup.Close(), ignoreExit(p.holder.Wait()))
}

// ignoreExit is for a process that was killed on purpose.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
