package test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// Containers that live for a moment, while the daemon dies again and again: whatever each wrote is in its log, whole and once.
func TestKillLoopOverShortLives(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withFDStore)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const pods = 15
	for i := range pods {
		name := fmt.Sprintf("short-%d", i)
		b.drop(name, podOf(name, "restartPolicy: Never\ninitContainers:\n"+
			containerOf("one", "seq 1 100")+"\n"+containerOf("two", "seq 1 100"), containerOf("main", "seq 1 100")))
		time.Sleep(time.Duration(random.IntN(90)) * time.Millisecond)
		b.must(lab.Poll(limit, func() (bool, error) { return b.Pid() != 0, fmt.Errorf("no daemon runs") }))
		b.kill9()
	}
	b.must(b.Ready(limit))
	want := strings.Join(sequence(100), "\n") + "\n"
	for i := range pods {
		name := fmt.Sprintf("short-%d", i)
		pod := b.wait(name, func(p *corev1.Pod) string {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				return "it has not ended"
			}
			return ""
		})
		for _, c := range []string{"one", "two", "main"} {
			got := b.logs(name, "-c", c)
			if got != want {
				t.Errorf("%s %s: %d lines of 100; %+v", name, c, strings.Count(got, "\n"), pod.Status)
			}
		}
	}
}
