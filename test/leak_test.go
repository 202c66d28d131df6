package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"podd/test/lab"
)

// After the pods are gone and the daemon has stopped, the kernel is as it was: mounts, cgroups, links, nftables rules,
// processes.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	before := b.kernelState()
	b.loadImages("busybox.tar")
	b.start()
	b.drop("a", podOf("a", containerOf("one", forever), containerOf("two", forever)))
	b.drop("b", onePod("b", "exit 1"))
	b.drop("c", onePod("c", forever, "hostNetwork: true"))
	b.drop("d", onePod("d", forever, "hostUsers: false"))
	b.running("a")
	b.running("c")
	b.running("d")
	if during := b.kernelState(); len(during) < len(before)+10 {
		t.Fatalf("the comparison sees too little:\n%s", strings.Join(during, "\n"))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		b.remove(name)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		b.gone(name)
	}
	b.stop()
	b.must(lab.Poll(limit, func() (bool, error) {
		var left []string
		for _, line := range b.kernelState() {
			if !slices.Contains(before, line) {
				left = append(left, line)
			}
		}
		return len(left) == 0, fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}))
}

// kernelState is what a board has in the kernel, a line each.
func (b *Board) kernelState() []string {
	b.t.Helper()
	var list []string
	mounts, err := lab.MountsBelow(b.Dir)
	b.must(err)
	for _, mount := range mounts {
		list = append(list, "mount "+mount)
	}
	for _, dir := range b.Cgroup().Below() {
		list = append(list, "cgroup "+dir)
	}
	for _, pid := range b.Cgroup().Pids() {
		list = append(list, fmt.Sprintf("process %d", pid))
	}
	for _, link := range b.links() {
		name := strings.Fields(link)[1]
		list = append(list, "link "+name)
	}
	rules, err := b.In("nft", "list", "ruleset").Output()
	b.must(err)
	for line := range strings.Lines(string(rules)) {
		list = append(list, "nft "+strings.TrimSpace(line))
	}
	return list
}
