package cli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// The options of podd logs, which are kubectl's.
func TestLogs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app",
		harness.ContainerOf("many", "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done; echo problem >&2; "+harness.Forever),
		harness.ContainerOf("other", "echo from the other; "+harness.Forever)))
	b.Running("app")
	b.Logged("app", "many", "line 100")
	b.Logged("app", "many", "problem")
	b.Logged("app", "other", "from the other")

	if got := strings.Count(b.LogsOf("app", "-c", "many"), "\n"); got != 101 {
		t.Errorf("%d lines, want 101", got)
	}
	if got := b.LogsOf("app", "-c", "many", "--tail", "3"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "line 100\n") {
		t.Errorf("--tail 3: %q", got)
	}
	if got := b.LogsOf("app", "-c", "many", "--tail=0"); got != "" {
		t.Errorf("--tail=0: %q", got)
	}
	if got := b.LogsOf("app", "-c", "many", "--since", "1h", "--tail", "1"); strings.Count(got, "\n") != 1 {
		t.Errorf("--since 1h: %q", got)
	}
	stamped := b.LogsOf("app", "-c", "other", "--timestamps")
	stamp, rest, _ := strings.Cut(stamped, " ")
	if at, err := time.Parse(time.RFC3339Nano, stamp); err != nil || time.Since(at) > time.Hour || rest != "from the other\n" {
		t.Errorf("--timestamps: %q: %v", stamped, err)
	}
	if _, stderr, code := b.RunCLI("logs", "app", "-c", "none"); code == 0 || !strings.Contains(stderr, "none") {
		t.Errorf("an unknown container: exit %d, %q", code, stderr)
	}
	if _, stderr, code := b.RunCLI("logs", "none"); code == 0 || !strings.Contains(stderr, "not found") {
		t.Errorf("an unknown pod: exit %d, %q", code, stderr)
	}
}

// logs -p is the attempt before.
func TestPreviousLogs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo attempt $(cat /proc/sys/kernel/random/uuid); exit 1"))
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if missing := harness.HasRestarted("main", 1)(pod); missing != "" {
			return missing
		}
		return harness.IsWaiting("main", "CrashLoopBackOff")(pod)
	})
	previous, current := b.LogsOf("app", "-p"), b.LogsOf("app")
	first, second := attemptLog(b, "app", 0), attemptLog(b, "app", 1)
	if !strings.HasPrefix(previous, "attempt ") || !strings.Contains(first, previous) || !strings.Contains(second, current) || previous == current {
		t.Errorf("previous %q, current %q, the files %q and %q", previous, current, first, second)
	}
}

// attemptLog is the log file of an attempt of the container main.
func attemptLog(b *harness.Board, pod string, attempt int) string {
	b.T.Helper()
	data, err := os.ReadFile(filepath.Join(b.Logs, "default_"+pod+"_"+string(b.MustPod(pod).UID), "main", strconv.Itoa(attempt)+".log"))
	b.Must(err)
	return string(data)
}

// logs -f shows lines as they come, and ends with the container.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo first; while [ ! -e /dev/shm/more ]; do usleep 20000; done; echo second; exit 0", "restartPolicy: Never"))
	b.Running("app")
	b.Logged("app", "main", "first")
	follow := b.Podd("logs", "-f", "app")
	pipe, err := follow.StdoutPipe()
	b.Must(err)
	b.Must(follow.Start())
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() || lines.Text() != "first" {
		t.Fatalf("the first line is %q: %v", lines.Text(), lines.Err())
	}
	b.Must(harness.TouchInside(b.PidOf("app"), "/dev/shm/more"))
	if !lines.Scan() || lines.Text() != "second" {
		t.Fatalf("the second line is %q: %v", lines.Text(), lines.Err())
	}
	if lines.Scan() {
		t.Errorf("a third line: %q", lines.Text())
	}
	b.Must(follow.Wait())
}

// The files are where shippers look and in the CRI format; a long line is split with P and ended with F.
//
// e2e: ContainerLogPath :: Pod with a container :: printed log to stdout :: should print log to correct log path
// e2e: ContainerLogPath :: Pod with a container :: printed log to stdout :: should print log to correct cri log path
func TestLogFiles(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo short; echo to err >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; echo -n no newline", "restartPolicy: Never"))
	pod := b.WaitPod("app", harness.IsPhase(corev1.PodSucceeded))
	path := filepath.Join(b.Logs, "default_app_"+string(pod.UID), "main", "0.log")
	data, err := os.ReadFile(path)
	b.Must(err)
	format := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) (stdout|stderr) (F|P) `)
	long, streams := 0, map[string]int{}
	for line := range strings.Lines(string(data)) {
		if !format.MatchString(line) {
			t.Fatalf("not a CRI line: %.80q", line)
		}
		part := strings.SplitN(line, " ", 4)
		streams[part[1]+" "+part[2]]++
		if strings.HasPrefix(part[3], "xxx") {
			long += len(strings.TrimSuffix(part[3], "\n"))
		}
	}
	if long != 40000 || streams["stdout P"] < 2 || streams["stderr F"] != 1 {
		t.Errorf("%d bytes of the long line, lines by stream and tag: %v", long, streams)
	}
	if got := b.LogsOf("app"); !strings.HasSuffix(strings.TrimSuffix(got, "\n"), "no newline") || !strings.Contains(got, strings.Repeat("x", 40000)) {
		t.Errorf("read back, %d bytes: %.60q", len(got), got)
	}
}

// The logs of removed pods stay for those who come to look, but not without end.
func TestLogsOfRemovedPods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for round := range 5 {
		b.MustDrop("app", harness.OnePod("app", fmt.Sprintf("echo round %d; %s", round, harness.Forever)))
		b.Running("app")
		b.Logged("app", "main", fmt.Sprintf("round %d", round))
		b.MustRemove("app")
		b.Gone("app")
	}
	var dirs []string
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		var err error
		dirs, err = filepath.Glob(filepath.Join(b.Logs, "default_app_*"))
		b.Must(err)
		return len(dirs) >= 1 && len(dirs) <= 3, fmt.Errorf("%d log folders of one name: %v", len(dirs), dirs)
	}))
	newest := ""
	for _, dir := range dirs {
		data, err := os.ReadFile(filepath.Join(dir, "main", "0.log"))
		b.Must(err)
		newest += string(data)
	}
	if !strings.Contains(newest, "round 4") {
		t.Errorf("the newest log is not among those kept:\n%s", newest)
	}
}

// Logs are rotated by size and bounded in number, and reading goes on across the files.
//
// e2e: ContainerLogRotation :: when a container generates a lot of log :: should be rotated and limited to a fixed amount of files [Slow,Serial,Disruptive]
func TestLogRotation(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	// 65 MB of formatted log against 5 files of 10 MiB.
	b.MustDrop("app", harness.OnePod("app", "yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 | head -n 450000; echo the end; "+harness.Forever))
	pod := b.Running("app")
	b.Must(lab.Poll(2*harness.Limit, func() (bool, error) {
		got := b.LogsOf("app", "--tail", "1")
		return got == "the end\n", fmt.Errorf("the last line is %q", got)
	}))
	var files []string
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // a file that is being compressed is there twice for a moment
		var err error
		files, err = filepath.Glob(filepath.Join(b.Logs, "default_app_"+string(pod.UID), "main", "0.log*"))
		b.Must(err)
		return len(files) >= 2 && len(files) <= 5, fmt.Errorf("%d files: %v", len(files), files)
	}))
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Size() > 11<<20 {
			t.Errorf("%s: %v, %v bytes", file, err, info.Size())
		}
	}
	if got := b.LogsOf("app", "--tail", strconv.Itoa(100_000)); strings.Count(got, "\n") != 100_000 {
		t.Errorf("--tail 100000 across the rotation gives %d lines", strings.Count(got, "\n"))
	}
}
