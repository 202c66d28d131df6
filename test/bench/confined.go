package main

import (
	"errors"
	"strings"
	"time"
)

// confined is what the layers that confine a pod cost together (ids of its own, the seccomp filter, AppArmor where the kernel
// has it), beside a pod that has none of them: its start, and a command in it. The two take turns.
func (b *bench) confined() error {
	type result struct{ start, exec []cost }
	kinds := []struct {
		text func(string, int) string
		result
	}{{text: ownUsers}, {text: unconfined}}
	for round := range max(16, b.repeat) {
		for i := range kinds {
			k := &kinds[(i+round)%len(kinds)]
			start, err := b.node.firstOf(1, k.text)
			if err != nil {
				return err
			}
			exec, err := b.node.exec()
			_, removed := b.node.removeLast()
			if err := errors.Join(err, removed); err != nil {
				return err
			}
			if round > 0 { // the first warms caches
				k.start, k.exec = append(k.start, start), append(k.exec, exec)
			}
		}
	}
	on, off := kinds[0].result, kinds[1].result
	within := func(name string, with, without time.Duration) {
		b.add(newRow(name, "ms")).set("podd", ms(with)).
			judge(float64(with) <= 1.2*float64(without), "<= 1.2 unconfined (%s)", ms(without))
	}
	within("pod with all layers of confinement, wall", median(walls(on.start)), median(walls(off.start)))
	within("  CPU of everything involved", median(cpus(on.start)), median(cpus(off.start)))
	within("exec in it, wall", median(walls(on.exec)), median(walls(off.exec)))
	within("  CPU of everything involved", median(cpus(on.exec)), median(cpus(off.exec)))
	return nil
}

// unconfined is a pod without any layer that can be left out; it is not privileged.
func unconfined(name string, containers int) string {
	const none = "spec:\n  hostUsers: true\n  securityContext: {seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}\n"
	return strings.Replace(manifest(name, containers), "spec:\n", none, 1)
}
