package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"podd/test/lab"
)

// bench is one run of the command.
type bench struct {
	flags
	dir      string
	group    *lab.Cgroup
	workload *workload
	node     *podd
	podman   *podman                // nil when it is not here
	floors   map[string]*ociRuntime // crun and runc, those that are here
	rows     []*row
	notes    []string
}

func (b *bench) prepare() error {
	var err error
	if b.workload, err = newWorkload(b.dir); err != nil {
		return err
	}
	if b.node, err = newPodd(b.flags.podd, b.group, b.workload); err != nil {
		return err
	}
	if b.podman, err = newPodman(b.dir, b.group, b.workload); err == nil {
		// The first pod makes the network and the pause image: not a cost of the second.
		if _, err = b.podman.play(1, 1); err == nil {
			err = b.podman.clear()
		}
	}
	if err != nil {
		b.podman = nil
		b.notes = append(b.notes, fmt.Sprintf("podman is left out: %v", err))
	}
	b.floors = map[string]*ociRuntime{}
	for _, name := range []string{"crun", "runc"} {
		o, err := newOCIRuntime(name, b.dir, b.workload)
		if err == nil {
			_, err = o.first()
		}
		if err != nil {
			b.notes = append(b.notes, fmt.Sprintf("%s is left out: %v", name, err))
			continue
		}
		b.floors[name] = o
	}
	return nil
}

func (b *bench) close() {
	var err error
	if b.podman != nil {
		err = b.podman.close()
	}
	if b.node != nil {
		err = errors.Join(err, b.node.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: cleaning up:", err)
	}
}

func (b *bench) add(r *row) *row {
	b.rows = append(b.rows, r)
	return r
}

// addCosts adds two rows, of the time and of the CPU that something took podd and podman, and returns the first.
func (b *bench) addCosts(what string, results map[string][]cost) *row {
	wall := b.add(newRow(what+", wall", "ms"))
	cpu := b.add(newRow("  CPU", "ms"))
	for _, name := range []string{"podd", "podman"} {
		if list := results[name]; len(list) > 0 {
			wall.set(name, ms(median(walls(list))))
			cpu.set(name, ms(median(cpus(list))))
		}
	}
	return wall
}

// counts are the numbers of pods of the rows about many.
func (b *bench) counts() ([]int, error) {
	var list []int
	for word := range strings.SplitSeq(b.pods, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("-pods: %w", err)
		}
		list = append(list, n)
	}
	return list, nil
}

// first is the row that everything turns on: from the file dropped, or the command given, to the first instruction.
func (b *bench) first() error {
	results := map[string][]cost{}
	for i := range b.repeat {
		if err := b.oneRound(results, 1, i); err != nil {
			return err
		}
	}
	wall := b.add(newRow("one pod: dropped to first instruction, wall", "ms"))
	cpu := b.add(newRow("  CPU of everything involved", "ms"))
	for name, list := range results {
		wall.set(name, ms(median(walls(list))))
		cpu.set(name, ms(median(cpus(list))))
	}
	ours := results["podd"]
	wall.atMostOf(median(walls(ours)), median(walls(results["podman"])), 1.0/8, "<= 1/8 podman")
	wall.atMostOf(median(walls(ours)), median(walls(results["crun"])), 2.5, "<= 2.5 crun")
	cpu.atMostOf(median(cpus(ours)), median(cpus(results["podman"])), 1.0/10, "<= 1/10 podman")
	cpu.atMost(median(cpus(ours)), 24*time.Millisecond)
	return nil
}

// oneRound runs each contender once. The very first round warms caches and is not counted.
func (b *bench) oneRound(results map[string][]cost, containers, round int) error {
	keep := func(name string, c cost) {
		if round > 0 || b.repeat == 1 {
			results[name] = append(results[name], c)
		}
	}
	c, err := b.node.first(containers)
	if err != nil {
		return err
	}
	keep("podd", c)
	if _, err := b.node.removeLast(); err != nil {
		return err
	}
	if b.podman != nil {
		if c, err = b.podman.play(1, containers); err != nil {
			return err
		}
		keep("podman", c)
		if err := b.podman.clear(); err != nil {
			return err
		}
	}
	if containers > 1 {
		return nil
	}
	for name, floor := range b.floors {
		if c, err = floor.first(); err != nil {
			return err
		}
		keep(name, c)
	}
	return nil
}

func (b *bench) two() error {
	results := map[string][]cost{}
	for i := range max(2, b.repeat/2) {
		if err := b.oneRound(results, 2, i); err != nil {
			return err
		}
	}
	wall := b.add(newRow("pod of two containers, wall", "ms"))
	for name, list := range results {
		wall.set(name, ms(median(walls(list))))
	}
	wall.atMost(median(walls(results["podd"])), 40*time.Millisecond)
	return nil
}

// stop is from the file's removal, or the command, until everything of the pod is gone.
func (b *bench) stop() error {
	results := map[string][]cost{}
	for i := range b.repeat {
		if _, err := b.node.first(1); err != nil {
			return err
		}
		c, err := b.node.removeLast()
		if err != nil {
			return err
		}
		results["podd"] = append(results["podd"], c)
		if b.podman == nil || i >= 3 { // podman needs up to 3.5 s
			continue
		}
		if _, err := b.podman.play(1, 1); err != nil {
			return err
		}
		if c, err = b.podman.down(); err != nil {
			return err
		}
		results["podman"] = append(results["podman"], c)
	}
	wall := b.add(newRow("stop of a pod that obeys TERM, wall", "ms"))
	cpu := b.add(newRow("  CPU", "ms"))
	for name, list := range results {
		wall.set(name, ms(median(walls(list))))
		cpu.set(name, ms(median(cpus(list))))
	}
	wall.atMost(median(walls(results["podd"])), 25*time.Millisecond)
	return nil
}

func (b *bench) exec() error {
	if _, err := b.node.first(1); err != nil {
		return err
	}
	if b.podman != nil {
		if _, err := b.podman.play(1, 1); err != nil {
			return err
		}
	}
	results := map[string][]cost{}
	for range b.repeat {
		c, err := b.node.exec()
		if err != nil {
			return err
		}
		results["podd"] = append(results["podd"], c)
		if b.podman == nil {
			continue
		}
		if c, err = b.podman.exec(); err != nil {
			return err
		}
		results["podman"] = append(results["podman"], c)
	}
	wall := b.add(newRow("exec true, wall", "ms"))
	cpu := b.add(newRow("  CPU", "ms"))
	for name, list := range results {
		wall.set(name, ms(median(walls(list))))
		cpu.set(name, ms(median(cpus(list))))
	}
	wall.atMostOf(median(walls(results["podd"])), median(walls(results["podman"])), 1.0/8, "<= 1/8 podman")
	wall.atMost(median(walls(results["podd"])), 20*time.Millisecond)
	if _, err := b.node.removeLast(); err != nil {
		return err
	}
	if b.podman != nil {
		return b.podman.clear()
	}
	return nil
}
