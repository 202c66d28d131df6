package main

import (
	"strings"
	"time"
)

// userns is what a user namespace of its own costs the start of a pod, beside one without. The two take turns, and the
// difference is that of neighbours: what else the machine does slows both alike.
func (b *bench) userns() error {
	kinds := []struct {
		text  func(string, int) string
		costs []cost
	}{{text: ownUsers}, {text: hostUsers}}
	for round := range max(64, b.repeat) {
		for i := range kinds {
			k := &kinds[(i+round)%len(kinds)]
			c, err := b.node.firstOf(1, k.text)
			if err != nil {
				return err
			}
			if _, err := b.node.removeLast(); err != nil {
				return err
			}
			if round > 0 { // the first warms caches
				k.costs = append(k.costs, c)
			}
		}
	}
	with, without := kinds[0].costs, kinds[1].costs
	more := func(name string, with, without []time.Duration) {
		pairs := make([]time.Duration, len(with))
		for i := range with {
			pairs[i] = with[i] - without[i]
		}
		b.add(newRow(name, "ms")).set("podd", ms(median(pairs))).
			judge(median(pairs) <= 3*time.Millisecond, "<= 3 (%s, without %s)", ms(median(with)), ms(median(without)))
	}
	more("user namespace of a pod's own, more wall", walls(with), walls(without))
	more("  more CPU of everything involved", cpus(with), cpus(without))
	return nil
}

func hostUsers(name string, containers int) string {
	return strings.Replace(manifest(name, containers), "spec:\n", "spec:\n  hostUsers: true\n", 1)
}

func ownUsers(name string, containers int) string {
	return strings.Replace(manifest(name, containers), "spec:\n", "spec:\n  hostUsers: false\n", 1)
}
