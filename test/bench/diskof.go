package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podd/test/lab"
)

// nodeOn starts a second node whose state is on a disk of its own.
func (b *bench) nodeOn(d *disk) (*podd, error) {
	dir, err := os.MkdirTemp(d.dir, "podd-")
	if err != nil {
		return nil, err
	}
	node, err := lab.NewNode(lab.Options{
		Podd: b.flags.podd, Cgroup: b.group, Name: "podd-disk",
		Args: []string{"--root", filepath.Join(dir, "lib"), "--log-dir", filepath.Join(dir, "log")},
	})
	if err != nil {
		return nil, err
	}
	p := &podd{Node: node, binary: b.flags.podd}
	node.Logs = filepath.Join(dir, "log")
	if err := p.boot(); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return p, nil
}

// podmanOn is a second podman whose state is on a disk of its own.
func (b *bench) podmanOn(d *disk) (*podman, error) {
	p := *b.podman
	peers, err := lab.NewPeers(filepath.Join(d.dir, "podman"), b.group, "podman-disk")
	p.Peers = peers
	return &p, err
}

// diskOfPodd counts what pods of podd write.
func (b *bench) diskOfPodd(d *disk, pods int, manifest func(name string, containers int) string) (started, stopped int64, err error) {
	p, err := b.nodeOn(d)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if output, err := p.Podd("images", "load", b.workload.archive).CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("cannot load the image: %w: %s", err, output)
	}
	// One pod first: what only the first one makes is not a cost of each.
	if _, err := p.firstOf(1, manifest); err != nil {
		return 0, 0, err
	}
	if started, err = d.during(func() error {
		for range pods {
			if _, err := p.firstOf(1, manifest); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return 0, 0, err
	}
	stopped, err = d.during(func() error {
		for ; p.serial > 1; p.serial-- {
			if _, err := p.removeLast(); err != nil {
				return err
			}
		}
		return nil
	})
	return started, stopped, err
}

func (b *bench) diskOfPodman(d *disk, pods int) (started, stopped int64, err error) {
	p, err := b.podmanOn(d)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = p.close() }()
	if _, err := p.run("load", "-i", b.workload.archive); err != nil {
		return 0, 0, err
	}
	if _, err := p.play(1, 1); err != nil {
		return 0, 0, err
	}
	first := p.serial
	if started, err = d.during(func() error {
		for range pods {
			if _, err := p.play(1, 1); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return 0, 0, err
	}
	stopped, err = d.during(func() error {
		for serial := first + 1; serial <= p.serial; serial++ {
			if _, err := p.run("pod", "rm", "-f", "-t", "0", fmt.Sprintf("pod-%d-0", serial)); err != nil {
				return err
			}
		}
		return nil
	})
	return started, stopped, err
}
