package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// The daemon is killed again and again, at any moment of its life, while pods write: no container restarts, no line is
// missing or doubled, and exit codes are right, those of containers that ended while no daemon was there included.
//
// e2e: when creating a static pod and restarting kubelet :: the pod should be running and kubelet not panic [Serial]
func TestKillLoopWithFDStore(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	last := ""
	if !keepsExits(t) {
		last = awaitEnd // what ends between two daemons has no exit code that anybody knows
	}
	killLoop(t, b, kills, last, func() {
		b.MustKill9() // the stand-in starts the next one
	})
	b.Must(b.Ready(harness.Limit))
	if last != "" {
		b.Sh("slow", "out", "touch /dev/shm/end") // shared by the pod's containers
	}
	checkAfterKillLoop(t, b)
	// A container that ends between two daemons has its exit code and its last words.
	dropEnder(b, "ender")
	endWhileDead(b, "ender", func() { b.Must(b.Ready(harness.Limit)) })
	pod := b.WaitPod("ender", harness.IsPhase(corev1.PodFailed))
	if got := harness.Ended(pod, "main"); got.ExitCode != 23 && (keepsExits(t) || got.Reason != "ContainerStatusUnknown") {
		t.Errorf("it ended with 23 while no daemon was there, told as %+v", got)
	}
	if log := b.LogsOf("ender"); !strings.HasSuffix(log, "last words\n") {
		t.Errorf("its last words are missing:\n%s", log)
	}
}

// Without a store the containers go on and what living ones wrote is complete. What only a store could have kept is
// told honestly: an exit status that nobody saw is unknown, not invented. So the writers end when the last daemon is
// there, however slow the machine is.
func TestKillLoopWithoutFDStore(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	killLoop(t, b, 15, awaitEnd, func() {
		b.MustKill9()
		b.Must(b.Start())
	})
	b.Must(b.Ready(harness.Limit))
	b.Sh("slow", "out", "touch /dev/shm/end") // shared by the pod's containers
	checkAfterKillLoop(t, b)
	dropEnder(b, "ender")
	endWhileDead(b, "ender", b.MustStart)
	pod := b.WaitPod("ender", func(pod *corev1.Pod) string {
		if harness.Ended(pod, "main") == nil {
			return "it is not seen as ended"
		}
		return ""
	})
	if got := harness.Ended(pod, "main"); got.ExitCode != 23 && got.Reason != "ContainerStatusUnknown" {
		t.Errorf("it ended with 23 while no daemon was there, told as %+v", got)
	}
}

// awaitEnd keeps a slow writer from its end until the test says that a daemon is there.
const awaitEnd = "while [ ! -e /dev/shm/end ]; do usleep 20000; done; "

// counted is how far the slow writers count: for seconds, also where each line takes an emulated processor long; kills is
// how often the daemon dies meanwhile.
var counted, kills = 4000, 25

func init() {
	if os.Getenv("PODD_TEST_LIMIT") != "" {
		counted, kills = 500, 6
	}
}

// keepsExits tells kernels that keep the exit status of a process for who holds its pidfd, and was not its parent: those
// since Linux 6.15 (PIDFD_INFO_EXIT).
func keepsExits(t *testing.T) bool {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(release), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 6 || major == 6 && minor >= 15
}

// killLoop drops the writers and kills the daemon so often, at random moments of its start and its work. The slow writers
// run the commands of last before they end.
func killLoop(t *testing.T, b *harness.Board, times int, last string, again func()) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	count := fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i; usleep 500; done; %s", counted, last)
	b.MustDrop("slow", harness.PodOf("slow", "restartPolicy: Never",
		harness.ContainerOf("out", count+"exit 5"), harness.ContainerOf("err", "exec >&2; "+count+"exit 6")))
	b.MustDrop("burst", harness.OnePod("burst", "for r in 1 2 3; do seq 1 20000; usleep 300000; done; echo end of burst; "+harness.Forever))
	b.MustDrop("idle", harness.OnePod("idle", "echo started; "+harness.Forever))
	for _, name := range []string{"slow", "burst", "idle"} {
		b.WaitPod(name, func(pod *corev1.Pod) string {
			for _, c := range pod.Status.ContainerStatuses {
				if c.ContainerID == "" {
					return "not started"
				}
			}
			return hasStatuses(pod)
		})
	}
	for range times {
		time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond)
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { return b.Pid() != 0, fmt.Errorf("no daemon runs") }))
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		again()
	}
}

func hasStatuses(pod *corev1.Pod) string {
	// A refused manifest is shown as a pod without any.
	if len(pod.Spec.Containers) == 0 || len(pod.Status.ContainerStatuses) != len(pod.Spec.Containers) {
		return "not every container has a status"
	}
	return ""
}

func checkAfterKillLoop(t *testing.T, b *harness.Board) {
	t.Helper()
	// Each line that the slow writers count is a program that they start: thousands, which a busy machine takes a minute for.
	pod := b.WaitFor(4*harness.Limit, "slow", harness.IsPhase(corev1.PodFailed))
	for container, code := range map[string]int32{"out": 5, "err": 6} {
		// An older kernel tells it in the machine's own network namespace alone, in which a board of the tests is not.
		if got := harness.Ended(pod, container); got.ExitCode != code && (keepsExits(t) || got.Reason != "ContainerStatusUnknown") {
			t.Errorf("%s ended with %d, told as %+v", container, code, got)
		}
		checkCounter(t, container, b.LogsOf("slow", "-c", container), sequence(counted))
	}
	b.Logged("burst", "main", "end of burst")
	burst := append(append(sequence(20000), sequence(20000)...), sequence(20000)...)
	checkCounter(t, "burst", b.LogsOf("burst"), append(burst, "end of burst"))
	if log := b.LogsOf("idle"); strings.Count(log, "started") != 1 {
		t.Errorf("the idle container wrote:\n%s", log)
	}
	for _, name := range []string{"slow", "burst", "idle"} {
		for _, c := range b.MustPod(name).Status.ContainerStatuses {
			if c.RestartCount != 0 {
				t.Errorf("%s/%s was restarted %d times", name, c.Name, c.RestartCount)
			}
		}
	}
}

func sequence(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = strconv.Itoa(i + 1)
	}
	return lines
}

// checkCounter reports the first line that is not the wanted one.
func checkCounter(t *testing.T, who, log string, want []string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: line %d is %q, want %q, after %q", who, i+1, got[i], want[i], got[max(0, i-3):i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d lines, want %d; the last is %q", who, len(got), len(want), got[len(got)-1])
	}
}

// dropEnder starts a container that ends with code 23 once a file appears in it.
func dropEnder(b *harness.Board, name string) {
	b.T.Helper()
	b.MustDrop(name, harness.OnePod(name, "echo up; while [ ! -e /dev/shm/end ]; do usleep 20000; done; echo last words; exit 23", "restartPolicy: Never"))
	b.Running(name)
	b.Logged(name, "main", "up")
}

// endWhileDead kills the daemon and lets the container end before the next daemon can see it: the daemon is held by
// SIGSTOP while the container ends, and killed only then.
func endWhileDead(b *harness.Board, name string, next func()) {
	b.T.Helper()
	pid, daemon := b.PidOf(name), b.Pid()
	b.Must(harness.StopProcess(daemon))
	b.Must(harness.TouchInside(pid, "/dev/shm/end"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { return !harness.Alive(pid), fmt.Errorf("process %d lives", pid) }))
	b.MustKill9()
	next()
}

// What a client was following when the daemon died ends with an error or an end, never hangs.
func TestClientsNoticeTheDeath(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo up; "+harness.Forever))
	b.Running("app")
	b.Logged("app", "main", "up")
	follow := b.Podd("logs", "-f", "app")
	b.Must(follow.Start())
	watch := b.Podd("get", "pods", "-w")
	b.Must(watch.Start())
	ended := make(chan error, 2)
	go func() { ended <- follow.Wait() }()
	go func() { ended <- watch.Wait() }()
	b.MustKill9()
	for range 2 {
		select {
		case <-ended:
		case <-time.After(harness.Limit):
			t.Fatal("a client hangs on a dead daemon")
		}
	}
}
