package storage

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// An ephemeral volume is a folder of the pod's, and shows as the claim that a cluster would make: over the daemon's death,
// and until the pod goes.
func TestEphemeralVolume(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("user", harness.PodOf("user", "volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 3Mi}}}}}}]\n",
		harness.Mounting("main", "echo x >>/v/lives; "+harness.Forever, "{name: v, mountPath: /v}")))
	b.Running("user")
	b.Shows([]string{"user-v", "Bound", "3Mi", "RWO", "podd"}, "get", "pvc")
	b.MustKill9()
	b.MustStart()
	b.Must(b.Ready(harness.Limit))
	b.Shows([]string{"user-v", "Bound", "3Mi"}, "get", "pvc")
	if text := b.CLI("get", "pvc", "user-v", "-o", "yaml"); !strings.Contains(text, "kind: Pod") || !strings.Contains(text, "name: user\n") {
		t.Errorf("the claim does not name its pod:\n%s", text)
	}
	b.MustRemove("user")
	b.Gone("user")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, _, _ := b.RunCLI("get", "pvc")
		return !strings.Contains(out, "user-v"), fmt.Errorf("the claim stays: %s", out)
	}))
}

// What says that it never changes does not, over the daemon's death as well; removed and written anew it may.
//
// e2e: ConfigMap :: should be immutable if `immutable` field is set
// e2e: Secrets :: should be immutable if `immutable` field is set
func TestImmutable(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	config := func(value string) string {
		return harness.ObjectOf("ConfigMap", "fixed", "a: "+value) + "immutable: true\n"
	}
	reader := harness.PodOf("reader", "volumes: [{name: v, configMap: {name: fixed}}]\n", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}"))
	b.MustDrop("fixed", config("one"))
	b.MustDrop("reader", reader)
	b.Running("reader")
	b.MustDrop("fixed", config("two"))
	b.Event("field is immutable when `immutable` is set; the last version stays")
	b.MustDrop("fixed", config("one"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // what stood in for the refused version
		kept, err := filepath.Glob(filepath.Join(b.Root, "lastgood", "*.json"))
		return err == nil && len(kept) == 0, fmt.Errorf("last good versions are %v", kept)
	}))
	b.MustKill9()
	b.MustDrop("fixed", config("two"))
	b.MustStart()
	b.Must(b.Ready(harness.Limit))
	b.Event("it has changed while podd did not run")
	b.Says("reader", "main", "cat /v/a", "one")
	b.MustDrop("fixed", config("one"))
	b.MustDrop("second", strings.ReplaceAll(reader, "reader", "second"))
	b.Running("second")
	b.MustRemove("fixed")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, _, _ := b.RunCLI("get", "cm")
		return !strings.Contains(out, "fixed"), fmt.Errorf("it stays: %s", out)
	}))
	b.MustDrop("fixed", config("two"))
	b.Says("reader", "main", "cat /v/a", "two")
}

// All types of hostPath on all kinds of files, as the kubelet checks them.
//
// e2e: HostPathType Directory, File, Socket, Character Device, Block Device :: Should be able to mount …, Should fail on mounting …
func TestHostPathTypes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "host")
	in := func(name string) string { return filepath.Join(host, name) }
	b.Must(os.MkdirAll(in("adir"), 0o755))
	b.Must(os.WriteFile(in("afile"), nil, 0o644))
	socket, err := net.Listen("unix", in("asocket"))
	b.Must(err)
	defer socket.Close()
	b.Must(unix.Mknod(in("achardev"), unix.S_IFCHR|0o600, int(unix.Mkdev(89, 1))))
	b.Must(unix.Mknod(in("ablkdev"), unix.S_IFBLK|0o600, int(unix.Mkdev(89, 1))))
	kinds := map[string]string{"adir": "Directory", "afile": "File", "asocket": "Socket", "achardev": "CharDevice", "ablkdev": "BlockDevice", "missing": "none"}
	words := map[string]string{"Directory": "directory", "File": "file", "Socket": "socket file", "CharDevice": "character device", "BlockDevice": "block device"}
	var good strings.Builder
	mounts, bad := []string{}, map[string]string{}
	for name, kind := range kinds {
		for asked, word := range words {
			volume := strings.ToLower(name + "-" + asked)
			if asked == kind {
				fmt.Fprintf(&good, "- {name: %s, hostPath: {path: %s, type: %s}}\n- {name: %[1]s-unset, hostPath: {path: %[2]s, type: \"\"}}\n", volume, in(name), asked)
				mounts = append(mounts, fmt.Sprintf("{name: %s, mountPath: /m/%[1]s}", volume), fmt.Sprintf("{name: %s-unset, mountPath: /m/%[1]s-unset}", volume))
				continue
			}
			bad[volume] = fmt.Sprintf("MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: %s is not a %s", in(name), word)
			b.MustDrop(volume, harness.PodOf(volume, fmt.Sprintf("volumes: [{name: v, hostPath: {path: %s, type: %s}}]\n", in(name), asked), harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
		}
	}
	b.MustDrop("good", harness.PodOf("good", "volumes:\n"+good.String(), harness.Mounting("main", harness.Forever, mounts...)))
	b.Running("good")
	if got := b.Sh("good", "main", "cd /m; for f in *-unset; do stat -c %F $f; done"); got != "directory\nblock special file\ncharacter special file\nregular empty file\nsocket" &&
		got != "block special file\ncharacter special file\ndirectory\nregular empty file\nsocket" {
		t.Errorf("the mounts are %q", got)
	}
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		events := b.CLI("get", "events")
		for name, want := range bad {
			if !strings.Contains(events, want) {
				return false, fmt.Errorf("%s: no %q in\n%s", name, want, events)
			}
		}
		return true, nil
	}))
}

// Mounts of one pod do not get into each other's way: many ConfigMaps in many pods at once, Secrets beside them, items with
// modes, users and groups, subPaths of each kind; a container starts again though what its subPath showed has changed.
//
// e2e: EmptyDir wrapper volumes :: should not conflict
// e2e: EmptyDir wrapper volumes :: should not cause race condition when used for configmaps
// e2e: Subpath :: Atomic writer volumes :: should support subpaths with secret pod
// e2e: Subpath :: Atomic writer volumes :: should support subpaths with configmap pod
// e2e: Subpath :: Atomic writer volumes :: should support subpaths with downward pod
// e2e: Subpath :: Container restart :: should verify that container can restart successfully after configmaps modified
// e2e: Projected configMap :: should be consumable from pods in volume with mappings and Item mode set
// e2e: Projected secret :: should be consumable in multiple volumes in a pod
// e2e: Projected secret :: optional updates should be reflected in volume
func TestManyVolumes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	var objects, volumes strings.Builder
	var mounts []string
	for i := range 50 {
		fmt.Fprintf(&objects, "%s---\n", harness.ObjectOf("ConfigMap", fmt.Sprint("config-", i), fmt.Sprintf("data: \"%d\"", i)))
		fmt.Fprintf(&volumes, "- {name: c%d, configMap: {name: config-%[1]d, items: [{key: data, path: data}]}}\n", i)
		mounts = append(mounts, fmt.Sprintf("{name: c%d, mountPath: /c/%[1]d}", i))
	}
	b.MustDrop("objects", objects.String()+harness.ObjectOf("Secret", "secret", "key: hidden"))
	for i := range 5 {
		b.MustDrop(fmt.Sprint("many-", i), harness.PodOf(fmt.Sprint("many-", i), "volumes:\n"+volumes.String(), harness.Mounting("main", harness.Forever, mounts...)))
	}
	b.MustDrop("sub", harness.PodOf("sub", `volumes:
- {name: c, configMap: {name: config-7}}
- {name: s, secret: {secretName: secret}}
- {name: d, downwardAPI: {items: [{path: dir/name, fieldRef: {fieldPath: metadata.name}}]}}
- {name: p, projected: {sources: [{configMap: {name: config-7, items: [{key: data, path: a/b, mode: 256}]}}, {secret: {name: later, optional: true}}, {secret: {name: secret}}]}}
- {name: q, projected: {defaultMode: 256, sources: [{secret: {name: secret}}]}}
`, harness.Mounting("main", "cat /sub/c /sub/s /sub/d; echo; until [ -e /tmp/end ]; do sleep 0.05; done; exit 1", "{name: c, mountPath: /sub/c, subPath: data}", "{name: s, mountPath: /sub/s, subPath: key}", "{name: d, mountPath: /sub/d, subPath: dir/name}",
		"{name: p, mountPath: /p}", "{name: q, mountPath: /q}")))
	for i := range 5 {
		name := fmt.Sprint("many-", i)
		b.Running(name)
		if got := b.Sh(name, "main", "cd /c; for i in $(seq 0 49); do [ $(cat $i/data) = $i ] || echo $i; done"); got != "" {
			t.Errorf("%s reads something else in %s", name, got)
		}
	}
	b.Running("sub")
	b.Logged("sub", "main", "7hiddensub")
	if got := b.Sh("sub", "main", "cat /p/a/b /p/key /q/key; stat -Lc %a /p/a/b /p/key /q/key"); got != "7hiddenhidden400\n644\n400" {
		t.Errorf("projections are %q", got)
	}
	b.MustDrop("late", harness.ObjectOf("Secret", "later", "more: come"))
	b.Says("sub", "main", "cat /p/more", "come")
	b.MustRemove("late")
	b.Says("sub", "main", "ls /p", "a\nkey")
	b.MustDrop("objects", strings.Replace(objects.String(), "data: \"7\"", "data: seven", 1)+harness.ObjectOf("Secret", "secret", "key: hidden"))
	b.Says("sub", "main", "cat /p/a/b; cat /sub/c", "seven7")
	b.Sh("sub", "main", "touch /tmp/end")
	b.WaitPod("sub", func(p *corev1.Pod) string {
		if p.Status.ContainerStatuses[0].RestartCount == 0 {
			return "not started again"
		}
		return ""
	})
	b.Logged("sub", "main", "sevenhiddensub")
}
