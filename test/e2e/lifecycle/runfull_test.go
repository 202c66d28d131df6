package lifecycle

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/harness"
)

// The files that podd mounts into a container are on the board's /run, as podd's own memory and systemd's are: a container
// that writes without end into its termination log fills what its pod may have, and nothing else.
func TestTerminationLogFillsItsPodOnly(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	var before, after unix.Statfs_t
	b.MustDrop("filler", harness.OnePod("filler", harness.Forever))
	b.Running("filler")
	b.Must(unix.Statfs(b.Run, &before))
	for _, file := range []string{"/dev/termination-log", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"} {
		said := b.Sh("filler", "main", "dd if=/dev/zero of="+file+" bs=1M count=100 2>&1; true")
		if !strings.Contains(said, "No space left") {
			t.Errorf("%s takes 100 MB: %s", file, said)
		}
	}
	b.Must(unix.Statfs(b.Run, &after))
	if taken := int64(before.Bfree-after.Bfree) * after.Bsize; taken > 20<<20 {
		t.Errorf("%d bytes of the run folder are gone", taken)
	}
	b.MustDrop("other", harness.OnePod("other", harness.Forever))
	b.Running("other")
	b.MustRemove("filler")
	b.Gone("filler")
	b.MustRemove("other")
	b.Gone("other")
	b.Cleared()
}
