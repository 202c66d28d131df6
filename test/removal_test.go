package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/lab"
)

// traces lists what pods of a board leave in the kernel and in the run folder: processes, cgroups below the board's,
// mounts, links, nftables rules, leases.
func (b *Board) traces() []string {
	b.t.Helper()
	var list []string
	daemon := b.Pid()
	for _, pid := range b.Cgroup().Pids() {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || pid == daemon || strings.HasPrefix(string(cmdline), suite.standin) {
			continue
		}
		list = append(list, "process "+strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	for _, dir := range b.Cgroup().Below() {
		if strings.Contains(filepath.Base(dir), "pod") && strings.Contains(dir, "/kubepods/") {
			list = append(list, "cgroup "+dir)
		}
	}
	mounts, err := lab.MountsBelow(b.Dir)
	b.must(err)
	for _, mount := range mounts {
		if mount != b.Run && mount != b.Root && mount != b.Netns() && mount != filepath.Join(b.Run, "ns") {
			list = append(list, "mount "+mount)
		}
	}
	for _, link := range b.links() {
		if strings.Contains(link, "veth") {
			list = append(list, "link "+link)
		}
	}
	for _, pattern := range []string{"ns/*", "pods/*", "sandbox/*", "containers/*"} {
		left, err := filepath.Glob(filepath.Join(b.Run, pattern))
		b.must(err)
		list = append(list, left...)
	}
	left, err := filepath.Glob(filepath.Join(b.Root, "containers/*"))
	b.must(err)
	return append(list, left...)
}

// links are the network links of the board, with their kinds.
func (b *Board) links() []string {
	b.t.Helper()
	output, err := b.In("ip", "-d", "-o", "link", "show").Output()
	b.must(err)
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// cleared waits until the pods' traces are gone.
func (b *Board) cleared() {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		left := b.traces()
		return len(left) == 0, fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}))
}

// The removal of pods leaves nothing: no process, cgroup, mount, link, lease or folder, whatever they were doing.
//
// e2e: Pods Extended :: Delete Grace Period :: should be submitted and removed
func TestRemovalLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	pods := map[string]string{
		"idle":    onePod("idle", forever),
		"two":     podOf("two", containerOf("one", forever), containerOf("two", forever)),
		"failing": onePod("failing", "exit 1"),
		"forking": onePod("forking", "for i in 1 2 3 4 5; do setsid sleep 1000 & done; "+forever),
		"done":    onePod("done", "exit 0", "restartPolicy: Never"),
		"hostnet": onePod("hostnet", forever, "hostNetwork: true"),
		"noimage": strings.Replace(onePod("noimage", "true"), "image: busybox", "image: not/here", 1),
	}
	for name, manifest := range pods {
		b.drop(name, manifest)
	}
	for _, name := range []string{"idle", "two", "forking", "hostnet"} {
		b.running(name)
	}
	if len(b.traces()) < 20 {
		t.Fatalf("the running pods leave too few traces for this test to mean something: %v", b.traces())
	}
	for name := range pods {
		b.remove(name)
	}
	for name := range pods {
		b.gone(name)
	}
	b.cleared()
}

// Pods removed while no daemon runs are ended by the next one.
func TestRemovedWhileDead(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("stays", onePod("stays", forever))
	b.drop("goes", podOf("goes", containerOf("one", forever), containerOf("two", forever)))
	stays := b.running("stays")
	b.running("goes")
	b.kill9()
	b.remove("goes")
	b.start()
	b.gone("goes")
	if again := b.running("stays"); containerStatus(again, "main").ContainerID != containerStatus(stays, "main").ContainerID {
		t.Error("the pod that stayed has another container")
	}
	b.remove("stays")
	b.gone("stays")
	b.cleared()
}
