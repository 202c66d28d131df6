package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// loadWithPodd loads the big image and removes it again.
func loadWithPodd(p *podd, w *workload) (cost, error) {
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	command := p.Podd("images", "load", w.big)
	start := monotonic()
	output, err := command.CombinedOutput()
	wall := monotonic() - start
	if err != nil {
		return cost{}, fmt.Errorf("podd images load: %w: %s", err, output)
	}
	cpu, err := p.cpuSince(before)
	if err != nil {
		return cost{}, err
	}
	if output, err := p.Podd("images", "rm", "podd.bench/big:1").CombinedOutput(); err != nil {
		return cost{}, fmt.Errorf("podd images rm: %w: %s", err, output)
	}
	return cost{wall: wall, cpu: cpu + ownCPU(command.ProcessState)}, nil
}

func loadWithPodman(p *podman, w *workload) (cost, error) {
	c, err := p.run("load", "-i", w.big)
	if err != nil {
		return cost{}, err
	}
	_, err = p.run("rmi", "podd.bench/big:1")
	return c, err
}

// loadWithTar is the floor: the archive unpacked, and the layers in it.
func loadWithTar(dir string, w *workload) (cost, error) {
	target := filepath.Join(dir, "untarred")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(target)
	script := `tar -xf "$0" -C "$1" && cd "$1" && mkdir root && for layer in *.tar; do tar -xf "$layer" -C root; done`
	command := exec.Command("sh", "-c", script, w.big, target)
	start := monotonic()
	output, err := command.CombinedOutput()
	wall := monotonic() - start
	if err != nil {
		return cost{}, fmt.Errorf("tar: %w: %s", err, output)
	}
	return cost{wall: wall, cpu: ownCPU(command.ProcessState)}, nil
}
