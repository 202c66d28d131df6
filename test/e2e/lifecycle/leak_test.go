package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// After the pods are gone and the daemon has stopped, the kernel is as it was: mounts, cgroups, links, nftables rules,
// processes.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	before := kernelState(b)
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("a", harness.PodOf("a", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	b.MustDrop("b", harness.OnePod("b", "exit 1"))
	b.MustDrop("c", harness.OnePod("c", harness.Forever, "hostNetwork: true"))
	b.MustDrop("d", harness.OnePod("d", harness.Forever, "hostUsers: false"))
	b.Running("a")
	b.Running("c")
	b.Running("d")
	if during := kernelState(b); len(during) < len(before)+10 {
		t.Fatalf("the comparison sees too little:\n%s", strings.Join(during, "\n"))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		b.MustRemove(name)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		b.Gone(name)
	}
	b.MustStop()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		var left []string
		for _, line := range kernelState(b) {
			if !slices.Contains(before, line) {
				left = append(left, line)
			}
		}
		return len(left) == 0, fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}))
}

// kernelState is what a board has in the kernel, a line each.
func kernelState(b *harness.Board) []string {
	b.T.Helper()
	var list []string
	mounts, err := lab.MountsBelow(b.Dir)
	b.Must(err)
	for _, mount := range mounts {
		list = append(list, "mount "+mount)
	}
	for _, dir := range b.Cgroup().Below() {
		list = append(list, "cgroup "+dir)
	}
	for _, pid := range b.Cgroup().Pids() {
		list = append(list, fmt.Sprintf("process %d", pid))
	}
	for _, link := range b.Links() {
		name := strings.Fields(link)[1]
		list = append(list, "link "+name)
	}
	rules, err := b.In("nft", "list", "ruleset").Output()
	b.Must(err)
	for line := range strings.Lines(string(rules)) {
		list = append(list, "nft "+strings.TrimSpace(line))
	}
	return list
}
