package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Peers are namespaces in which podman, crun and runc work where they would not otherwise: without systemd, without
// CAP_SYS_RESOURCE, and with the hybrid mode of cgroups. They have a cgroup namespace of their own: what they make is below the
// root that they see, and that root is then the cgroup whose CPU is counted, whatever daemonises.
type Peers struct {
	Dir    string
	cgroup *Cgroup
	holder *exec.Cmd // the process that holds the namespaces
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

// peersNamespaces is run in fresh mount and cgroup namespaces. crun refuses the hybrid mode, a version 2 mount beside
// version 1 ones: in the hybrid mode only those of version 1 are mounted again.
const peersNamespaces = `set -e
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

// NewPeers makes the namespaces. dir is for what podman keeps.
func NewPeers(dir string, group *Cgroup, name string) (*Peers, error) {
	p := &Peers{Dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "containers.conf"), []byte(podmanConf), 0o600); err != nil {
		return nil, err
	}
	var err error
	if p.cgroup, err = group.Child(name); err != nil {
		return nil, err
	}
	return p, p.hold()
}

// hold starts the process whose namespaces every command enters.
func (p *Peers) hold() error {
	argv := p.cgroup.Wrap([]string{"unshare", "-m", "-C", "sh", "-c", peersNamespaces})
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
		return errors.Join(fmt.Errorf("cannot make the peers' namespaces: %w", err), p.Close())
	}
	return nil
}

// Cgroup is that of all that the peers run.
func (p *Peers) Cgroup() *Cgroup { return p.cgroup }

// Holder is the process that holds the namespaces.
func (p *Peers) Holder() int { return p.holder.Process.Pid }

// Command makes a command in the namespaces. nsenter costs it about a millisecond.
func (p *Peers) Command(argv ...string) *exec.Cmd {
	argv = p.cgroup.Wrap(append([]string{"nsenter", "-t", strconv.Itoa(p.Holder()), "-m", "-C", "--"}, argv...))
	command := exec.Command(argv[0], argv[1:]...)
	command.Dir = p.Dir
	command.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(p.Dir, "containers.conf"))
	return command
}

// Podman makes a command of podman.
func (p *Peers) Podman(args ...string) *exec.Cmd {
	return p.Command(append([]string{"podman", "--root", filepath.Join(p.Dir, "root"), "--runroot", "/run/podman", "--tmpdir", "/run/libpod"}, args...)...)
}

// Close ends all that runs there.
func (p *Peers) Close() error {
	err := p.cgroup.Close()
	var exit *exec.ExitError
	if wait := p.holder.Wait(); !errors.As(wait, &exit) {
		err = errors.Join(err, wait) // it was killed on purpose
	}
	return err
}
