package lifecycle

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// withJournal gives a board a journal of its own, in the folder of that name, which stands in the place of the machine's.
func withJournal(o *lab.Options) {
	o.Front = []string{"unshare", "--mount", "--propagation", "private", "sh", "-ec", `mount -t tmpfs none /run
mkdir -p journal /run/systemd/journal
mount --bind journal /run/systemd/journal
exec "$@"`, "sh"}
}

// journalOf listens for a board's entries.
func journalOf(t *testing.T, b *harness.Board) func() [][]byte {
	t.Helper()
	dir := filepath.Join(b.Dir, "journal")
	b.Must(os.MkdirAll(dir, 0o755))
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unixgram"})
	b.Must(err)
	entries := make(chan []byte, 1000)
	t.Cleanup(func() { conn.Close() })
	go func() {
		defer close(entries)
		for {
			data := make([]byte, 64<<10)
			n, err := conn.Read(data)
			if err != nil {
				return
			}
			entries <- data[:n]
		}
	}()
	var all [][]byte
	return func() [][]byte {
		for {
			select {
			case e := <-entries:
				all = append(all, e)
			default:
				return all
			}
		}
	}
}

// What a container writes is in the journal and in its log, each line once, whatever becomes of podd meanwhile. A pod may choose
// otherwise than the node, and a board without a journal says so.
func TestContainersWriteToTheJournal(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("containerLogDriver: journald\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewEmptyBoard(t, withJournal, harness.WithFDStore, harness.WithArgs("--config", config))
	entries := journalOf(t, b)
	b.LoadImages("busybox.tar")
	b.MustStart()
	const script = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo line-$i.; sleep 0.01; done; echo bad >&2; echo end.; " + harness.Forever
	b.MustDrop("web", harness.OnePod("web", script))
	b.MustDrop("quiet", harness.ReplaceIn(t, harness.OnePod("quiet", "echo of the file alone; "+harness.Forever), "  name: quiet\n", "  name: quiet\n  annotations: {podd.dev/log-driver: file}\n"))
	b.Running("web")
	b.Logged("web", "main", "line-50.")
	b.MustKill9()
	b.Logged("web", "main", "end.")
	b.Logged("quiet", "main", "of the file alone")
	count := func(text string) (n int) {
		for _, e := range entries() {
			n += bytes.Count(e, []byte(text))
		}
		return n
	}
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { return count("MESSAGE=end.\n") == 1, fmt.Errorf("%d entries", len(entries())) }))
	twice := 0
	for i := 1; i <= 200; i++ {
		switch n := count(fmt.Sprintf("MESSAGE=line-%d.\n", i)); {
		case n == 0:
			t.Errorf("line %d is not in the journal", i)
		case n > 1:
			twice++
		}
	}
	if twice > 1 { // the one that was being sent
		t.Errorf("%d lines are in the journal twice", twice)
	}
	if count("of the file alone") > 0 {
		t.Error("the pod that chose its log alone is in the journal")
	}
	for _, e := range entries() {
		text := string(e)
		if !strings.Contains(text, "MESSAGE=bad\n") {
			continue
		}
		for _, field := range []string{"PRIORITY=3", "SYSLOG_IDENTIFIER=web", "CONTAINER_NAME=main", "POD_NAME=web", "POD_NAMESPACE=default", "CONTAINER_STREAM=stderr"} {
			if !strings.Contains(text, field+"\n") {
				t.Errorf("no %s in %q", field, text)
			}
		}
	}
	if n := strings.Count(b.LogsOf("web"), "line-"); n != 200 {
		t.Errorf("podd logs has %d lines", n)
	}
	b.Must(os.Remove(filepath.Join(b.Dir, "journal", "socket")))
	b.MustDrop("late", harness.OnePod("late", "echo late; "+harness.Forever))
	b.Logged("late", "main", "late")
	if events := b.CLI("get", "events"); !strings.Contains(events, "NoJournal") {
		t.Errorf("nobody says that there is no journal:\n%s", events)
	}
}
