package lifecycle

import (
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
)

// With the board pods end by priority: critical ones when the others have gone, and they run until then.
func TestCriticalPodsEndLast(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	const slow = "trap 'sleep 1; exit 0' TERM; while :; do sleep 1000 & wait $!; done"
	b.MustDrop("critical", harness.OnePod("critical", harness.Forever, "priorityClassName: system-node-critical"))
	b.MustDrop("app", harness.OnePod("app", slow))
	b.Running("critical")
	b.Running("app")
	b.MustStop()
	log := b.ReadFile(filepath.Join(b.Dir, "podd.out"))
	at := func(words ...string) int {
		for i, line := range strings.Split(log, "\n") {
			has := true
			for _, w := range words {
				has = has && strings.Contains(line, w)
			}
			if has {
				return i
			}
		}
		t.Fatalf("podd does not say %q", words)
		return 0
	}
	app, critical := at("pod removed", "pod=default/app"), at("stopping container", "pod=default/critical")
	if app > critical {
		t.Errorf("the critical pod is told to end before the other one has gone:\n%s", log)
	}
}
