package test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The files that podd mounts into a container are on the board's /run, as podd's own memory and systemd's are: a container
// that writes without end into its termination log fills what its pod may have, and nothing else.
func TestTerminationLogFillsItsPodOnly(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	var before, after unix.Statfs_t
	b.drop("filler", onePod("filler", forever))
	b.running("filler")
	b.must(unix.Statfs(b.Run, &before))
	for _, file := range []string{"/dev/termination-log", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"} {
		said := b.sh("filler", "main", "dd if=/dev/zero of="+file+" bs=1M count=100 2>&1; true")
		if !strings.Contains(said, "No space left") {
			t.Errorf("%s takes 100 MB: %s", file, said)
		}
	}
	b.must(unix.Statfs(b.Run, &after))
	if taken := int64(before.Bfree-after.Bfree) * after.Bsize; taken > 20<<20 {
		t.Errorf("%d bytes of the run folder are gone", taken)
	}
	b.drop("other", onePod("other", forever))
	b.running("other")
	b.remove("filler")
	b.gone("filler")
	b.remove("other")
	b.gone("other")
	b.cleared()
}
