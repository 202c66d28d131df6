package security

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
	"podd/test/harness"
	"podd/test/lab"
)

// loadOwned gives the board an image with a file of a user.
func loadOwned(b *harness.Board, name string, uid int) {
	b.T.Helper()
	owned := imagetest.Regular("srv/file", "its own\n")
	owned.Header.Uid, owned.Header.Mode = uid, 0o644
	archive, err := imagetest.Busybox(name, imagetest.Config{}, owned)
	b.Must(err)
	b.Must(os.WriteFile(filepath.Join(b.Images, "."+name+".tar"), archive, 0o600))
	b.Must(os.Rename(filepath.Join(b.Images, "."+name+".tar"), filepath.Join(b.Images, name+".tar")))
}

// firstIDOf is the id of the machine that root of a container is, and of the first process of its PID namespace.
func firstIDOf(b *harness.Board, pod, container string) string {
	b.T.Helper()
	maps := strings.Split(b.Sh(pod, container, "cat /proc/1/uid_map /proc/self/uid_map"), "\n")
	if len(maps) != 2 || maps[0] != maps[1] {
		b.T.Errorf("%s/%s and the first process of its PID namespace have not the same ids: %q", pod, container, maps)
	}
	return strings.Fields(maps[len(maps)-1])[1]
}

// A volume that turns out not to fit when it comes, after the sandbox was made with ids of the pod's own, has the sandbox made
// anew, once, and the pod says so.
func TestUserNamespaceLateVolumes(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := harness.NewBoard(t)
	waits := func(name, why string) {
		t.Helper()
		b.Happened(name, "UserNamespace", "The pod has users and groups of its own", 1)
		b.Happened(name, "FailedMount", why, 1)
	}
	anew := func(name, why string) {
		t.Helper()
		b.Running(name)
		if got := firstIDOf(b, name, "main"); got != "0" {
			t.Errorf("%s has ids from %s on", name, got)
		}
		list, err := b.Events()
		b.Must(err)
		said := ""
		for _, e := range list {
			if e.InvolvedObject.Name == name && e.Reason == "UserNamespace" {
				said += fmt.Sprintf("%d %s\n", e.Count, e.Message)
			}
		}
		if want := "1 The pod has users and groups of its own\n1 The pod has the machine's users and groups: " + why + "\n"; said != want {
			t.Errorf("of %s is said\n%swant\n%s", name, said, want)
		}
		if n := b.MustPod(name).Status.ContainerStatuses[0].RestartCount; n != 0 {
			t.Errorf("%s was started %d times more", name, n)
		}
	}
	b.MustDrop("claim", harness.PodOf("claim", "volumes: [{name: v, persistentVolumeClaim: {claimName: late}}]", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
	b.MustDrop("image", harness.PodOf("image", "volumes: [{name: v, image: {reference: late-volume, pullPolicy: Never}}]", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
	waits("claim", `persistentvolumeclaim "late" not found`)
	b.Happened("image", "UserNamespace", "The pod has users and groups of its own", 1)
	// sysfs cannot be shown with other owners, and that is known when the claim is bound.
	b.MustDrop("late", "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: late}\nspec: {capacity: {storage: 1Mi}, accessModes: [ReadOnlyMany], storageClassName: late, hostPath: {path: /sys/class}}\n---\n"+
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: late}\nspec: {storageClassName: late, accessModes: [ReadOnlyMany], resources: {requests: {storage: 1Mi}}}\n")
	anew("claim", "/sys/class is on sysfs")
	b.Sh("claim", "main", "test -e /v/net")
	loadOwned(b, "late-volume", 70000)
	anew("image", "image late-volume has files of user or group 70000")
	if got := b.Sh("image", "main", "stat -c %u /v/srv/file"); got != "70000" {
		t.Errorf("the image's file is of user %s", got)
	}
	for _, name := range []string{"claim", "image"} {
		b.MustRemove(name)
		b.Gone(name)
	}
	nothingOfUsersIsLeft(b)
}

func nothingOfUsersIsLeft(b *harness.Board) {
	b.T.Helper()
	for _, pattern := range []string{"users/[0-9]*", "mapped/*", "ns/*"} {
		if left, err := filepath.Glob(filepath.Join(b.Run, pattern)); err != nil || len(left) != 0 {
			b.T.Errorf("left behind: %v (%v)", left, err)
		}
	}
}

// The daemon may die at any moment while a pod's sandbox is made anew, and the next one goes on: the pod ends up with the
// machine's ids, whole, and with nothing of its own ones left.
func TestUserNamespaceGivenUpKilled(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := harness.NewBoard(t)
	gone := func(path string) bool { _, err := os.Lstat(path); return errors.Is(err, os.ErrNotExist) }
	moments := []func(pid int, ns string) bool{
		func(int, string) bool { return true },                                      // the image has come
		func(pid int, _ string) bool { return gone(fmt.Sprintf("/proc/%d", pid)) },  // what ran is ended
		func(_ int, ns string) bool { return gone(filepath.Join(ns, "user")) },      // its ids are taken away
		func(_ int, ns string) bool { return gone(filepath.Join(ns, "net")) },       // all is
		func(_ int, ns string) bool { return gone(ns+"/user") && !gone(ns+"/net") }, // it is there anew
	}
	for i, reached := range moments {
		name := fmt.Sprintf("p%d", i)
		b.MustDrop(name, harness.PodOf(name, "shareProcessNamespace: true", "volumes: [{name: v, emptyDir: {}}]",
			harness.ContainerOf("first", "echo >>/v/starts; "+harness.Forever, "volumeMounts: [{name: v, mountPath: /v}]"), of("late-"+name, harness.ContainerOf("second", harness.Forever))))
		pod := b.WaitPod(name, harness.IsReady("first"))
		pid, ns := b.PidOf(name), filepath.Join(b.Run, "ns", string(pod.UID))
		if firstIDOf(b, name, "first") == "0" {
			t.Fatalf("%s has the machine's ids", name)
		}
		loadOwned(b, "late-"+name, 70000)
		// A moment may be over before it is seen: then it is one of the later ones.
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			return reached(pid, ns) || gone(ns+"/user") && !gone(ns+"/net"), fmt.Errorf("moment %d does not come", i)
		}))
		b.MustKill9()
		b.MustStart()
	}
	for i := range moments {
		name := fmt.Sprintf("p%d", i)
		b.Running(name)
		for _, c := range []string{"first", "second"} {
			if got := firstIDOf(b, name, c); got != "0" {
				t.Errorf("%s/%s has ids from %s on", name, c, got)
			}
		}
		if got := b.Sh(name, "first", "sort /v/starts | uniq -c | tr -s ' '; stat -c %u /v/starts"); !strings.HasSuffix(got, "\n0") {
			t.Errorf("the volume of %s holds %q", name, got)
		}
		if text := b.CLI("describe", "pod", name); !strings.Contains(text, "the machine's: image late-"+name+" has files of user or group 70000") {
			t.Errorf("describe says\n%s", text)
		}
	}
	for i := range moments {
		b.MustRemove(fmt.Sprintf("p%d", i))
	}
	for i := range moments {
		b.Gone(fmt.Sprintf("p%d", i))
	}
	nothingOfUsersIsLeft(b)
}

// Pods that an earlier podd, or one with another mode, has started with the machine's ids keep them: what runs, what starts
// again, commands. A pod that comes now gets its own.
func TestUserNamespaceUpgrade(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	mode := func(mode string) {
		t.Helper()
		if err := os.WriteFile(config, []byte("userNamespaces: {mode: "+mode+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mode("manual")
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	b.MustDrop("old", harness.PodOf("old", "volumes: [{name: v, emptyDir: {}}]",
		harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: v, mountPath: /v}]"), harness.ContainerOf("other", harness.Forever)))
	b.Running("old")
	pids := map[string]int{}
	for _, c := range []string{"main", "other"} {
		pids[c] = pidIn(b, "old", c)
	}
	b.MustKill9()
	mode("auto")
	b.MustStart()
	b.MustDrop("new", harness.PodOf("new", harness.ContainerOf("main", harness.Forever)))
	b.Running("new")
	if firstIDOf(b, "new", "main") == "0" {
		t.Error("a pod that comes now has the machine's ids")
	}
	for c, pid := range pids {
		if now := pidIn(b, "old", c); now != pid {
			t.Errorf("%s of the old pod is process %d and was %d", c, now, pid)
		}
	}
	b.Must(unix.Kill(pids["main"], unix.SIGKILL))
	b.WaitPod("old", func(pod *corev1.Pod) string {
		if s := harness.ContainerStatus(pod, "main"); s.RestartCount == 1 && s.State.Running != nil {
			return ""
		}
		return "main does not run again"
	})
	for _, c := range []string{"main", "other"} {
		if got := firstIDOf(b, "old", c); got != "0" {
			t.Errorf("%s of the old pod has ids from %s on", c, got)
		}
	}
	if got := b.Sh("old", "main", "touch /v/f; stat -c %u /v /v/f"); got != "0\n0" {
		t.Errorf("its volume is of %q", got)
	}
	if now := pidIn(b, "old", "other"); now != pids["other"] {
		t.Errorf("the other container of the old pod was started again")
	}
	b.NeverHappened("old", "UserNamespace")
}

// pidIn is the first process of a container, on the machine.
func pidIn(b *harness.Board, pod, container string) int {
	b.T.Helper()
	b.Sh(pod, container, "true")
	_, id, _ := strings.Cut(harness.ContainerStatus(b.MustPod(pod), container).ContainerID, "://")
	for _, pid := range b.Cgroup().Pids() {
		if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); err == nil && strings.Contains(string(data), id) && harness.FirstOfNamespace(pid) {
			return pid
		}
	}
	b.T.Fatalf("container %s of pod %s has no process", container, pod)
	return 0
}
