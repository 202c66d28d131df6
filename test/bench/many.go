package main

import (
	"fmt"
	"os"
	"time"
)

// many starts the daemon in front of a full folder, and stops it with everything that runs.
func (b *bench) many() error {
	counts, err := b.counts()
	if err != nil {
		return err
	}
	starts := map[int]cost{}
	for _, count := range counts {
		var start, stop []cost
		for range manyRounds(count) {
			up, down, err := b.node.many(count, nil)
			if err != nil {
				return err
			}
			start, stop = append(start, up), append(stop, down)
		}
		starts[count] = cost{wall: median(walls(start)), cpu: median(cpus(start))}
		up := b.add(newRow(fmt.Sprintf("daemon start to all of %d pods running, wall", count), "ms")).set("podd", ms(starts[count].wall))
		busy := b.add(newRow("  CPU", "ms")).set("podd", ms(starts[count].cpu))
		b.add(newRow(fmt.Sprintf("  stop of all %d, wall", count), "ms")).set("podd", ms(median(walls(stop))))
		if count == 30 {
			up.atMost(starts[count].wall, 700*time.Millisecond)
			busy.atMost(starts[count].cpu, 700*time.Millisecond)
		}
		if err := b.manyWithPodman(count, up, busy); err != nil {
			return err
		}
	}
	b.perPod(starts)
	return nil
}

// replicas compares a Deployment of 100 pods with as many pods of the folder, in pairs.
func (b *bench) replicas() error {
	const count, rounds = 100, 5
	var pods, replicas []cost
	var wall, cpu []float64
	for range rounds {
		one, _, err := b.node.many(count, nil)
		if err != nil {
			return err
		}
		other, err := b.node.replicas(count)
		if err != nil {
			return err
		}
		pods, replicas = append(pods, one), append(replicas, other)
		wall = append(wall, float64(other.wall)/float64(one.wall))
		cpu = append(cpu, float64(other.cpu)/float64(one.cpu))
	}
	for _, r := range []struct {
		name   string
		of     func([]cost) []time.Duration
		ratios []float64
	}{
		{"100 pods / 100 replicas of a Deployment, all running, wall", walls, wall},
		{"  CPU", cpus, cpu},
	} {
		b.add(newRow(r.name, "ms")).set("podd", ms(median(r.of(pods)))+" / "+ms(median(r.of(replicas)))).
			judge(median(r.ratios) <= 1.1, "<= 1.1 times, is %.2f", median(r.ratios))
	}
	return nil
}

// manyRounds keeps the time of the whole in bounds. The cost of one more pod is a ninth of a difference between few pods
// and one: those need the rounds.
func manyRounds(count int) int {
	if count <= 10 {
		return 9
	}
	return 3
}

func (b *bench) manyWithPodman(count int, up, busy *row) error {
	if b.podman == nil || count > 30 {
		return nil
	}
	c, err := b.podman.play(count, 1)
	if err != nil {
		return err
	}
	up.set("podman", ms(c.wall))
	busy.set("podman", ms(c.cpu))
	return b.podman.clear()
}

// perPod compares what one more pod costs among few with what it costs among many.
func (b *bench) perPod(starts map[int]cost) {
	one, ten, hundred := starts[1], starts[10], starts[100]
	if one.cpu == 0 || ten.cpu == 0 || hundred.cpu == 0 {
		return
	}
	early, late := (ten.cpu-one.cpu)/9, (hundred.cpu-ten.cpu)/90
	b.add(newRow("CPU of one more pod, up to 10 / from 10 to 100", "ms")).
		set("podd", ms(early)+" / "+ms(late)).
		judge(float64(late) <= 1.2*float64(early), "the same +- 20 %%")
}

// memory is of all processes that are not workload.
func (b *bench) memory() error {
	counts, err := b.counts()
	if err != nil {
		return err
	}
	at := map[int]memory{}
	for _, count := range append([]int{0}, counts...) {
		if count == 1 {
			continue
		}
		if _, _, err := b.node.many(count, func() error {
			time.Sleep(restBefore)
			at[count] = measureMemory(b.node.Cgroup())
			return nil
		}); err != nil {
			return err
		}
		r := b.add(newRow(fmt.Sprintf("memory with %d pods, PSS / anonymous", count), "MiB"))
		r.set("podd", mib(at[count].pss)+" / "+mib(at[count].anonymous))
		if limit, ok := map[int]int64{0: 13, 10: 14, 30: 16}[count]; ok {
			r.judge(at[count].pss <= limit<<20, "<= %d", limit)
		}
		if err := b.memoryOfPodman(count, r); err != nil {
			return err
		}
	}
	if at[100].pss > 0 && at[10].pss > 0 {
		each := (at[100].pss - at[10].pss) / 90
		b.add(newRow("  each further pod, PSS", "KiB")).set("podd", kib(each)).judge(each <= 60_000, "<= 60 kB")
	}
	return nil
}

func (b *bench) memoryOfPodman(count int, r *row) error {
	if b.podman == nil || count == 0 || count > 30 {
		return nil
	}
	if _, err := b.podman.play(count, 1); err != nil {
		return err
	}
	m := measureMemory(b.podman.Cgroup(), b.podman.Holder())
	r.set("podman", mib(m.pss)+" / "+mib(m.anonymous))
	return b.podman.clear()
}

// restBefore lets pass what follows a burst of work: memory given back, threads that park.
const restBefore = 10 * time.Second

func (b *bench) idle() error {
	var rest idleness
	_, _, err := b.node.many(30, func() (err error) {
		time.Sleep(restBefore)
		rest, err = measureIdle(b.node.Pid(), b.flags.idle)
		return err
	})
	if err != nil {
		return err
	}
	// Go's monitor wakes up once a minute, into which the rest may cut once more. Nobody sets a watchdog here.
	wakes := int64(b.flags.idle/time.Minute) + 1
	b.add(newRow(fmt.Sprintf("30 idle pods for %s, context switches of the daemon", b.flags.idle), "")).
		set("podd", fmt.Sprint(rest.switches)).judge(rest.switches <= 2*wakes, "≤ %d: the monitor's", 2*wakes)
	b.add(newRow("  CPU of the daemon", "ms")).set("podd", fmt.Sprintf("%.1f", float64(rest.cpu)/1e6)).
		judge(rest.cpu <= time.Duration(wakes)*time.Millisecond/2, "≤ %.1f", float64(wakes)/2)
	b.add(newRow("  written to disk by the daemon", "KiB")).set("podd", kib(rest.written)).judge(rest.written == 0, "0")
	return nil
}

// disk counts what pods cost a card: the mean of ten pods started, then stopped.
func (b *bench) disk() error {
	const pods = 10
	d, err := newDisk(b.dir, b.flags.features)
	if err != nil {
		return err
	}
	defer func() { _ = d.close() }()
	start := b.add(newRow("written to disk per pod start (own ext4, after sync)", "KiB"))
	stop := b.add(newRow("  per pod stop", "KiB"))
	started, stopped, err := b.diskOfPodd(d, pods, manifest)
	if err != nil {
		return err
	}
	start.set("podd", kib(started/pods)).judge(started/pods <= 16<<10, "<= 16")
	stop.set("podd", kib(stopped/pods)).judge(stopped/pods <= 16<<10, "<= 16")
	if started, stopped, err = b.diskOfPodd(d, pods, readOnly); err != nil {
		return err
	}
	b.add(newRow("  with a read-only root, per start", "KiB")).set("podd", kib(started/pods))
	b.add(newRow("  with a read-only root, per stop", "KiB")).set("podd", kib(stopped/pods))
	if b.podman == nil {
		return nil
	}
	if started, stopped, err = b.diskOfPodman(d, pods); err != nil {
		return err
	}
	start.set("podman", kib(started/pods))
	stop.set("podman", kib(stopped/pods))
	return nil
}

func (b *bench) size() error {
	info, err := os.Stat(b.flags.podd)
	if err != nil {
		return err
	}
	b.add(newRow("size of the binary", "MiB")).set("podd", mib(info.Size())).judge(info.Size() <= 16<<20, "<= 16")
	return nil
}
