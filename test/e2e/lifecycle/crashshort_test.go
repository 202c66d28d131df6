package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// Containers that live for a moment, while the daemon dies again and again: whatever each wrote is in its log, whole and once.
func TestKillLoopOverShortLives(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const pods = 15
	for i := range pods {
		name := fmt.Sprintf("short-%d", i)
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never\ninitContainers:\n"+
			harness.ContainerOf("one", "seq 1 100")+"\n"+harness.ContainerOf("two", "seq 1 100"), harness.ContainerOf("main", "seq 1 100")))
		time.Sleep(time.Duration(random.IntN(90)) * time.Millisecond)
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { return b.Pid() != 0, fmt.Errorf("no daemon runs") }))
		b.MustKill9()
	}
	b.Must(b.Ready(harness.Limit))
	want := strings.Join(sequence(100), "\n") + "\n"
	for i := range pods {
		name := fmt.Sprintf("short-%d", i)
		pod := b.WaitPod(name, func(p *corev1.Pod) string {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				return "it has not ended"
			}
			return ""
		})
		for _, c := range []string{"one", "two", "main"} {
			got := b.LogsOf(name, "-c", c)
			if got != want {
				t.Errorf("%s %s: %d lines of 100; %+v", name, c, strings.Count(got, "\n"), pod.Status)
			}
		}
	}
}
