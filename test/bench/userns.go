package main

import "strings"

// userns is what a user namespace of its own costs a pod, beside one without.
func (b *bench) userns() error {
	results := map[string][]cost{}
	kinds := map[string]func(string, int) string{"with": ownUsers, "without": manifest}
	for round := range max(3, b.repeat) {
		for kind, text := range kinds {
			c, err := b.node.firstOf(1, text)
			if err != nil {
				return err
			}
			if _, err := b.node.removeLast(); err != nil {
				return err
			}
			if round > 0 { // the first warms caches
				results[kind] = append(results[kind], c)
			}
		}
	}
	with, without := results["with"], results["without"]
	b.add(newRow("pod with hostUsers: false, wall", "ms")).set("podd", ms(median(walls(with)))).
		judge(median(walls(with)) <= 2*median(walls(without)), "<= 2 without (%s)", ms(median(walls(without))))
	b.add(newRow("  CPU of everything involved", "ms")).set("podd", ms(median(cpus(with)))).
		judge(median(cpus(with)) <= 2*median(cpus(without)), "<= 2 without (%s)", ms(median(cpus(without))))
	return nil
}

func ownUsers(name string, containers int) string {
	return strings.Replace(manifest(name, containers), "spec:\n", "spec:\n  hostUsers: false\n", 1)
}
