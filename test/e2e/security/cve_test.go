package security

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
	"podd/test/harness"
	"podd/test/lab"
)

// Known holes of runc, containerd, CRI-O and the kubelet, each tried against podd. Those that need no running pod are tested
// where the defence is: paths below a volume in runtime/volume (CVE-2017-1002101, CVE-2021-25741), system calls and
// capabilities in TestConfinementAgainstGoldenFiles (CVE-2022-0185, CVE-2022-0492, CVE-2022-29162, AF_ALG), logs in
// TestLogsThatAPodHasReplaced, messages in TestContainersDoNotWriteOnTheTerminal (CVE-2021-25743), the removal of volumes in
// TestRemoveNeverFollowsLinks of runtime/volume (CVE-2017-1002102), numbers of users that are too large in
// runtime/container/spec (CVE-2024-40635), aliases of aliases in runtime/manifest (CVE-2019-11253). gitRepo volumes
// (CVE-2024-10220, CVE-2025-1767) are refused, and nothing that a manifest says goes into the message by which libcontainer
// tells its child of namespaces (CVE-2021-43784).
//
// Each has been seen to fail without its defence; "Fails with" says what was taken out, of podd or of its copy of libcontainer.

// hostileImages are images whose files or configuration attack whoever makes a container of them.
func hostileImages(b *harness.Board) {
	b.T.Helper()
	files, err := imagetest.BusyboxFiles()
	b.Must(err)
	link := func(name, target string) imagetest.File {
		return imagetest.File{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}}
	}
	image := func(name string, config imagetest.Config, own ...imagetest.File) imagetest.Image {
		config.Env, config.Cmd = []string{harness.Path}, []string{"sh"}
		return imagetest.Image{Names: []string{"hostile/" + name}, Layers: []imagetest.Layer{{Files: files}, {Files: own}}, Config: config}
	}
	archive, err := imagetest.DockerArchive(
		image("proc-link", imagetest.Config{}, imagetest.Dir("fake/"), imagetest.Dir("fake/sys/"), link("proc", "/fake")),
		image("sys-link", imagetest.Config{}, imagetest.Dir("fake/"), link("sys", "/fake")),
		image("etc-link", imagetest.Config{}, link("etc", "../../../../../../../../"+strings.TrimPrefix(b.Dir, "/")+"/outside")),
		image("workdir", imagetest.Config{WorkingDir: "/proc/self/fd/7"}),
		image("volumes", imagetest.Config{Volumes: map[string]struct{}{"/../../../../../../../.." + b.Dir + "/outside": {}, "/copied": {}}}, link("copied", "../../../../../../../.."+b.Dir+"/outside")),
		image("self", imagetest.Config{}, imagetest.File{Header: tar.Header{Name: "bin/self", Mode: 0o755}, Data: []byte("#!/proc/self/exe\n")}))
	b.Must(err)
	temp := filepath.Join(b.Images, ".hostile.tar")
	b.Must(os.WriteFile(temp, archive, 0o600))
	b.Must(os.Rename(temp, filepath.Join(b.Images, "hostile.tar")))
}

// of replaces the image of a container.
func of(image, container string) string {
	return strings.Replace(container, "image: busybox", "image: "+image, 1)
}

// newHostileBoard is a board with hostile images, and with a folder "outside" that is the board's: nothing may come into it,
// and its secret may not come out.
func newHostileBoard(t *testing.T) (b *harness.Board, outside string) {
	t.Helper()
	b = harness.NewProbedBoard(t)
	outside = filepath.Join(b.Dir, "outside")
	b.Must(os.Mkdir(outside, 0o777))
	b.Must(os.WriteFile(filepath.Join(outside, "secret"), []byte("of the board"), 0o644))
	hostileImages(b)
	return b, outside
}

// untouched fails the test if something came into the board's folder, or onto it.
func untouched(b *harness.Board, outside string) {
	b.T.Helper()
	entries, err := os.ReadDir(outside)
	b.Must(err)
	if len(entries) != 1 || b.ReadFile(filepath.Join(outside, "secret")) != "of the board" {
		b.T.Errorf("the board's folder holds %v", entries)
	}
	mounts, err := lab.MountsBelow(outside)
	b.Must(err)
	if len(mounts) != 0 {
		b.T.Errorf("mounted on the board: %v", mounts)
	}
}

// settled waits until the first container runs, has ended, or waits for something that will not come by itself.
func settled(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		waiting := status.State.Waiting
		switch {
		case waiting == nil, waiting.Reason == "CrashLoopBackOff", waiting.Reason == "RunContainerError", waiting.Reason == "CreateContainerError":
			return ""
		}
	}
	return "it has not been tried"
}

// tried waits until a container has said that it has tried, or cannot be started, and returns what it said.
func tried(b *harness.Board, pod, container string) string {
	b.T.Helper()
	said := ""
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		said, _, _ = b.RunCLI("logs", pod, "-c", container)
		waiting := harness.ContainerStatus(b.MustPod(pod), container).State.Waiting
		return strings.Contains(said, "tried") || waiting != nil && waiting.Reason != "ContainerCreating", fmt.Errorf("%s/%s has not tried: %q", pod, container, said)
	}))
	return said
}

// A container that is a script of /proc/self/exe, and one that watches for podd's processes, cannot overwrite podd: what
// starts in a container is a sealed copy. CVE-2019-5736
// Fails with podd's own file started instead of the copy.
func TestPoddIsNotOverwritten(t *testing.T) {
	t.Parallel()
	b, _ := newHostileBoard(t)
	before := sha256.Sum256([]byte(b.ReadFile(harness.Suite.Podd)))
	b.MustDrop("thief", harness.PodOf("thief", "hostUsers: true", harness.Probed("main", "exec answerer steal"),
		of("hostile/self", strings.Replace(harness.ContainerOf("script", ""), "command: [sh, -c]", "command: [/bin/self]", 1))))
	b.WaitPod("thief", func(pod *corev1.Pod) string {
		if harness.ContainerStatus(pod, "main").State.Running == nil {
			return "the thief does not run"
		}
		return ""
	})
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, _, _ = b.RunCLI("exec", "thief", "-c", "main", "--", "/proc/self/exe")
		log := b.LogsOf("thief", "-c", "main")
		return strings.Contains(log, "cannot write: "), fmt.Errorf("the thief has seen nothing of podd's:\n%s", log)
	}))
	if log := b.LogsOf("thief", "-c", "main"); strings.Contains(log, "wrote") {
		t.Errorf("the thief says:\n%s", log)
	}
	if sha256.Sum256([]byte(b.ReadFile(harness.Suite.Podd))) != before {
		t.Error("podd's program has changed")
	}
}

// A folder of podd's that is still open is no way out of a container. CVE-2024-21626, CVE-2016-9962
// Fails with a folder leaked to the init, and its look at the working directory left out. One of the two is not enough.
func TestWorkingDirectoryOutside(t *testing.T) {
	t.Parallel()
	b, outside := newHostileBoard(t)
	script := "up=.; for n in 1 2 3 4 5 6 7 8; do cat $up" + outside + "/secret; up=$up/..; done; echo tried; " + harness.Forever
	var containers []string
	for fd := 3; fd < 13; fd++ {
		containers = append(containers, harness.ContainerOf(fmt.Sprintf("c%d", fd), script, fmt.Sprintf("workingDir: /proc/self/fd/%d", fd)))
	}
	b.MustDrop("fds", harness.PodOf("fds", containers...))
	b.MustDrop("image", harness.PodOf("image", of("hostile/workdir", harness.ContainerOf("main", script))))
	b.MustDrop("cwd", harness.OnePod("cwd", script+"\n", "")) // that the script finds what it looks for is shown below
	for _, name := range []string{"fds", "image"} {
		for _, c := range b.WaitPod(name, settled).Spec.Containers {
			stdout := tried(b, name, c.Name)
			if strings.Contains(stdout, "of the board") {
				t.Errorf("%s/%s got out of its root: %s", name, c.Name, stdout)
			}
		}
	}
	b.MustDrop("granted", harness.PodOf("granted", "volumes: [{name: v, hostPath: {path: "+outside+"}}]", harness.Mounting("main", script, "{name: v, mountPath: "+outside+"}")))
	b.Logged("granted", "main", "of the board")
	untouched(b, outside)
}

// /proc and /sys are the kernel's, whatever an image or a volume puts there, and nothing is mounted into them.
// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-52881
// Fails with what is mounted on /proc, in it and on /sys not checked.
func TestKernelFilesAreNotReplaced(t *testing.T) {
	t.Parallel()
	b, outside := newHostileBoard(t)
	const volume = "volumes: [{name: v, emptyDir: {}}]"
	for name, c := range map[string]struct{ manifest, want string }{
		"proc-link": {harness.PodOf("proc-link", of("hostile/proc-link", harness.ContainerOf("main", harness.Forever))), `"proc" must be mounted on ordinary directory`},
		"sys-link":  {harness.PodOf("sys-link", of("hostile/sys-link", harness.ContainerOf("main", harness.Forever))), `"sysfs" must be mounted on ordinary directory`},
		"in-proc":   {harness.PodOf("in-proc", volume, harness.Mounting("main", harness.Forever, "{name: v, mountPath: /proc/sys/kernel}")), "because it is inside /proc"},
		"attr":      {harness.PodOf("attr", volume, harness.Mounting("main", harness.Forever, "{name: v, mountPath: /proc/self/attr}")), "because it is inside /proc"},
		"on-proc":   {harness.PodOf("on-proc", volume, harness.Mounting("main", harness.Forever, "{name: v, mountPath: /proc}")), "because it is not of type proc"},
	} {
		b.MustDrop(name, c.manifest)
		b.Happened(name, "Failed", c.want, 1)
		if status := b.MustPod(name).Status.ContainerStatuses[0]; status.State.Running != nil {
			t.Errorf("%s runs", name)
		}
	}
	untouched(b, outside)
}

// A volume at /dev, made ready by another container, does not lead masks, devices and consoles to files of the kernel.
// CVE-2025-31133, CVE-2025-52565
// Fails with /dev/null not checked before it is mounted on masked paths.
func TestDevicesThatAreLinks(t *testing.T) {
	t.Parallel()
	b, outside := newHostileBoard(t)
	keepsCorePattern(b)
	const prepare = "cd /v; for f in null console zero pts/0; do mkdir -p $(dirname $f); ln -s /proc/sys/kernel/core_pattern $f; done; ln -s / root"
	const attack = "for f in /proc/keys /proc/interrupts /proc/timer_list /dev/console /dev/null; do echo '|/evil' >$f; done; " + harness.Forever
	for tty, want := range map[string]string{"false": "container's /dev/null is invalid", "true": "/dev/pts/ptmx: no such file"} {
		name := "dev-" + tty
		b.MustDrop(name, harness.PodOf(name, "hostUsers: true\nvolumes: [{name: v, emptyDir: {}}]\ninitContainers:\n"+harness.Mounting("prepare", prepare, "{name: v, mountPath: /v}"),
			harness.Mounting("main", attack, "{name: v, mountPath: /dev}")+"  tty: "+tty+"\n"))
		b.Happened(name, "Failed", want, 1)
		if status := b.MustPod(name).Status.ContainerStatuses[0]; status.State.Running != nil {
			t.Errorf("%s runs", name)
		}
	}
	untouched(b, outside)
}

const corePattern = "/proc/sys/kernel/core_pattern"

// firstCorePattern is what it was before any test: another may have changed it meanwhile.
var firstCorePattern = sync.OnceValues(func() ([]byte, error) { return os.ReadFile(corePattern) })

// keepsCorePattern fails the test if the kernel's core_pattern, a command of the machine's root, is another at its end, and puts
// it back.
func keepsCorePattern(b *harness.Board) {
	b.T.Helper()
	before, err := firstCorePattern()
	b.Must(err)
	b.T.Cleanup(func() {
		if now := b.ReadFile(corePattern); now != string(before) {
			b.T.Errorf("core_pattern has become %q", now)
			b.Must(os.WriteFile(corePattern, before, 0))
		}
	})
}

// A mount below a volume stays in the container, though another container exchanges the folder above it for a link that
// leads outside. CVE-2021-30465, CVE-2024-45310
// Fails with mount points made and opened by their path from the board's root.
func TestMountsBelowALink(t *testing.T) {
	t.Parallel()
	b, outside := newHostileBoard(t)
	shared := filepath.Join(b.Dir, "shared")
	b.Must(os.Mkdir(shared, 0o777))
	b.Must(os.Mkdir(filepath.Join(shared, "dir"), 0o777))
	b.Must(os.Symlink(outside, filepath.Join(shared, "link")))
	// With ids of its own the process that mounts would not get to the board's folder, whatever it follows.
	const users = "hostUsers: true"
	volumes := users + "\nvolumes: [{name: v, hostPath: {path: " + shared + "}}, {name: e, emptyDir: {}}]"
	b.MustDrop("attacker", harness.PodOf("attacker", volumes, strings.Replace(harness.Mounting("main", "exec answerer swap /v/dir /v/link", "{name: v, mountPath: /v}"), "image: busybox", "image: answerer", 1)))
	b.Running("attacker")
	var names []string
	for n := range 12 {
		name := fmt.Sprintf("victim-%d", n)
		names = append(names, name)
		b.MustDrop(name, harness.PodOf(name, volumes, harness.Mounting("main", "echo 1 >/v/dir/made/file; "+harness.Forever, "{name: v, mountPath: /v}", "{name: e, mountPath: /v/dir/made}")))
	}
	for _, name := range names {
		b.WaitPod(name, settled)
	}
	untouched(b, outside)
	b.MustDrop("etc", harness.PodOf("etc", users, of("hostile/etc-link", harness.ContainerOf("main", harness.Forever))))
	b.MustDrop("volumes", harness.PodOf("volumes", users, of("hostile/volumes", harness.ContainerOf("main", "cat /copied/*; echo tried; "+harness.Forever))))
	b.WaitPod("etc", settled)
	if stdout := tried(b, "volumes", "main"); strings.Contains(stdout, "of the board") {
		t.Errorf("a volume of the image holds files of the board (CVE-2022-23648): %s", stdout)
	}
	untouched(b, outside)
}

// A value of a sysctl is one value, and its name no way to another (CVE-2022-0811); a seccomp profile without a name is none
// (CVE-2023-2431). Fails with names of sysctls not checked, neither with the manifest nor when they are set.
func TestFieldsThatSmuggle(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("allowedUnsafeSysctls: [net.*]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	keepsCorePattern(b)
	b.MustDrop("sysctl", harness.OnePod("sysctl", harness.Forever, `securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: "1+kernel.core_pattern=|/evil"}]}`))
	b.MustDrop("climbs", harness.OnePod("climbs", harness.Forever, `securityContext: {sysctls: [{name: "net/../kernel/core_pattern", value: "|/evil"}]}`))
	b.MustDrop("seccomp", harness.OnePod("seccomp", harness.Forever, `securityContext: {seccompProfile: {type: Localhost, localhostProfile: ""}}`))
	for _, name := range []string{"sysctl", "climbs", "seccomp"} {
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			stdout, _, _ := b.RunCLI("describe", "pod", name)
			return strings.Contains(stdout, "Warning") || strings.Contains(stdout, "Message:"), fmt.Errorf("podd describe says\n%s", stdout)
		}))
		if pod, err := b.Pod(name); err == nil && harness.IsRunning(pod) == "" {
			t.Errorf("%s runs", name)
		}
	}
}

// What a container writes into files of podd's does not fill the board (CVE-2020-8557), and what a command prints does not
// fill podd's memory (CVE-2022-1708). Fails with the sandbox's tmpfs without a size.
func TestContainersDoNotFillTheBoard(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("main", harness.Forever,
		`readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "touch /tmp/probed; yes | head -c 32000000"]}}`)))
	b.WaitPod("app", harness.IsReady("main"))
	for _, file := range []string{"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/dev/termination-log"} {
		if got := b.Sh("app", "main", "dd if=/dev/zero of="+file+" bs=1M count=64 2>&1 || true; stat -c %s "+file); !strings.Contains(got, "No space left on device") {
			t.Errorf("%s takes 64 MB: %s", file, got)
		}
	}
	command := b.Podd("exec", "app", "--", "sh", "-c", "yes | head -c 100000000")
	counted := &bytes.Buffer{}
	command.Stderr = counted
	var length countingWriter
	command.Stdout = &length
	b.Must(command.Run())
	if length != 100000000 {
		t.Errorf("100 MB came out as %d bytes: %s", length, counted)
	}
	if peak := peak(b); peak > 80<<20 {
		t.Errorf("podd took %d MB", peak>>20)
	}
}

type countingWriter int64

func (w *countingWriter) Write(data []byte) (int, error) {
	*w += countingWriter(len(data))
	return len(data), nil
}

// peak is the most memory that the daemon has had, in bytes.
func peak(b *harness.Board) int64 {
	b.T.Helper()
	for line := range strings.Lines(b.ReadFile(fmt.Sprintf("/proc/%d/status", b.Pid()))) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kilobytes int64
			_, err := fmt.Sscan(text, &kilobytes)
			b.Must(err)
			return kilobytes << 10
		}
	}
	return 0
}

// Services of the board's own loopback are nobody else's, also where a hostPort has the kernel route 127.0.0.0/8.
// The sysctl stands for frames that a pod makes by itself. CVE-2020-8558
// Fails without the rule "pods stay off the node's loopback".
func TestLoopbackOfTheBoardIsItsOwn(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("allowedUnsafeSysctls: [net.*]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	const ask = `printf 'GET /x HTTP/1.0\r\n\r\n' | nc -w 3 127.0.0.1 9191 2>&1 || true`
	b.MustDrop("service", harness.OnePod("service", "mkdir /www; echo of the board >/www/x; exec httpd -f -p 127.0.0.1:9191 -h /www", "hostNetwork: true"))
	b.Running("service")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		stdout, stderr, _ := b.RunCLI("exec", "service", "--", "sh", "-c", ask)
		return strings.Contains(stdout, "of the board"), fmt.Errorf("the board's own service: %s%s", stdout, stderr)
	}))
	b.MustDrop("neighbour", harness.PodOf("neighbour", "hostUsers: true\nsecurityContext: {sysctls: [{name: net.ipv4.conf.all.route_localnet, value: \"1\"}]}", harness.ContainerOf("main", harness.Forever,
		"ports: [{containerPort: 80, hostPort: 9192, hostIP: 127.0.0.1}]", "securityContext: {capabilities: {add: [NET_ADMIN, NET_RAW]}}")))
	b.Running("neighbour")
	got := b.Sh("neighbour", "main", `gateway=$(ip route | sed -n 's/^default via \([^ ]*\).*/\1/p')
ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via $gateway dev eth0 src $(ip -4 addr show dev eth0 | sed -n 's/^ *inet \([0-9.]*\).*/\1/p')
ip route get 127.0.0.1; `+ask)
	if strings.Contains(got, "of the board") || !strings.Contains(got, "dev eth0") {
		t.Errorf("the neighbour of the board's loopback got %q", got)
	}
}

// There is no way around the API's objects to the node: none of a kubelet's own, by which a reader of nodes/proxy runs commands
// in pods or fills the disk with checkpoints (CVE-2025-0426), and no path leads out of the logs. Fails if one of them is answered.
func TestNoWayOfAKubeletsOwn(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.PodOf("web", harness.ContainerOf("main", harness.Forever)))
	b.Running("web")
	for _, path := range []string{
		"/api/v1/nodes/lab/proxy/run/default/web/main?cmd=id", "/api/v1/nodes/lab/proxy/logs/", "/api/v1/nodes/lab/proxy/exec/default/web/main?command=id",
		"/run/default/web/main?cmd=id", "/exec/default/web/main?command=id", "/containerLogs/default/web/main", "/logs/", "/logs/../../../etc/shadow",
		"/checkpoint/default/web/main", "/configz", "/debug/pprof/", "/stats/summary", "/api/v1/namespaces/default/pods/web/proxy/", "/api/v1/namespaces/default/pods/..%2f..%2fweb/log",
		"/api/v1/namespaces/default/pods/web/log?container=..%2fmain",
	} {
		response, err := b.Stream(path)
		b.Must(err)
		body, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %s", path, response.Status, body)
		}
	}
}

// What a container sees of cgroups it cannot write to, also with ids of its own and all that these allow it: it would let go of
// its limits. CVE-2023-25809
// Fails with /sys/fs/cgroup mounted writable.
func TestCgroupsAreReadOnly(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, how := range map[string]string{"plain": "", "own": "hostUsers: false", "machine": "hostUsers: true"} {
		parts := []string{harness.ContainerOf("main", harness.Forever, "resources: {limits: {memory: 64Mi}}")}
		if how != "" {
			parts = append([]string{how}, parts...)
		}
		b.MustDrop(name, harness.PodOf(name, parts...))
	}
	// Root of its own namespaces may mount again what is mounted, but the files are not its own.
	b.MustDrop("admin", harness.PodOf("admin", "hostUsers: false", harness.ContainerOf("main", harness.Forever, "resources: {limits: {memory: 64Mi}}", "securityContext: {capabilities: {add: [SYS_ADMIN]}}")))
	for _, name := range []string{"plain", "own", "machine", "admin"} {
		b.Running(name)
		got := b.Sh(name, "main", `cd /sys/fs/cgroup || exit 0
for f in $(find . -name memory.max -o -name memory.limit_in_bytes -o -name cgroup.procs -o -name release_agent -o -name notify_on_release); do
	mount -o remount,bind,rw "$(dirname $f)" 2>/dev/null; (echo 1 >$f) 2>/dev/null && echo "wrote $f"
done
for d in . *; do mkdir $d/made 2>/dev/null && echo "made $d/made"; done; true`)
		if got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A container runs as the user of its image at its second start, too. CVE-2019-11245
// Fails with a user of the image that is looked up for the first attempt alone.
func TestUserOfTheSecondStart(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	archive, err := imagetest.Busybox("as-user", imagetest.Config{User: "1234"})
	b.Must(err)
	b.Must(os.WriteFile(filepath.Join(b.Images, "as-user.tar"), archive, 0o600))
	b.MustDrop("app", harness.PodOf("app", "securityContext: {runAsNonRoot: true}\nvolumes: [{name: v, emptyDir: {}}]",
		of("as-user", harness.Mounting("main", "id -u >>/v/users; test $(wc -l </v/users) = 2 && exec sleep 100000", "{name: v, mountPath: /v}"))))
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if s := harness.ContainerStatus(pod, "main"); s.State.Running != nil && s.RestartCount == 1 {
			return ""
		}
		return "it does not run for the second time"
	})
	if got := b.Sh("app", "main", "cat /v/users; id -u"); got != "1234\n1234\n1234" {
		t.Errorf("it ran as %q", got)
	}
}

// Containers in the machine's network find no socket of podd's that they could speak to: those in the abstract namespace belong
// to it, and have no mode. CVE-2020-15257
// Fails with a lock or the API on such a socket.
func TestNoAbstractSockets(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("net", harness.PodOf("net", "hostNetwork: true", harness.ContainerOf("main", harness.Forever, "tty: true")))
	b.Running("net")
	for line := range strings.Lines(b.Sh("net", "main", "cat /proc/net/unix")) {
		if fields := strings.Fields(line); len(fields) > 7 && strings.HasPrefix(fields[7], "@") {
			t.Errorf("a socket of the network that podd is in: %s", line)
		}
	}
}
