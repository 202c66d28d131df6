package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

// podman works in namespaces and a cgroup of its own.
type podman struct {
	*lab.Peers
	serial int
}

func newPodman(dir string, group *lab.Cgroup, w *workload) (*podman, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, err
	}
	peers, err := lab.NewPeers(filepath.Join(dir, "podman"), group, "podman")
	if err != nil {
		return nil, err
	}
	p := &podman{Peers: peers}
	if _, err := p.run("load", "-i", w.archive); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *podman) run(args ...string) (cost, error) {
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	start := monotonic()
	// A file, not a pipe: conmon keeps the descriptors, and waiting for the end of a pipe would wait for conmon.
	output, err := os.Create(filepath.Join(p.Dir, "output"))
	if err != nil {
		return cost{}, err
	}
	defer output.Close()
	command := p.Podman(args...)
	command.Stdout, command.Stderr = output, output
	err = command.Run()
	wall := monotonic() - start
	if err != nil {
		said, _ := os.ReadFile(output.Name())
		return cost{}, fmt.Errorf("podman %s: %w: %s", strings.Join(args, " "), err, said)
	}
	time.Sleep(settle)
	after, err := p.Cgroup().CPU()
	return cost{wall: wall, cpu: after - before}, err
}

// play plays pods of the given number of containers and measures up to the last first instruction.
func (p *podman) play(pods, containers int) (cost, error) {
	p.serial++
	var documents []string
	for i := range pods {
		documents = append(documents, manifest(fmt.Sprintf("pod-%d-%d", p.serial, i), containers))
	}
	file := filepath.Join(p.Dir, "pods.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(documents, "---\n")), 0o600); err != nil {
		return cost{}, err
	}
	start := monotonic()
	c, err := p.run("kube", "play", file)
	if err != nil {
		return cost{}, err
	}
	stamp, err := awaitStamps(filepath.Join(p.Dir, "root/overlay-containers/*/userdata/ctr.log"), pods*containers, patience)
	c.wall = stamp - start
	return c, err
}

// down removes all pods; the workload obeys TERM.
func (p *podman) down() (cost, error) {
	if _, err := os.Stat(filepath.Join(p.Dir, "pods.yaml")); err != nil {
		return cost{}, err
	}
	return p.run("kube", "down", filepath.Join(p.Dir, "pods.yaml"))
}

// clear removes all pods the quick way: podman itself waits seconds for each cgroup that is still busy, so nothing is
// left alive for it to wait for.
func (p *podman) clear() error {
	for _, pid := range p.Cgroup().Pids() {
		if pid != p.Holder() {
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
	return errors.Join(p.clear(), p.Close())
}
