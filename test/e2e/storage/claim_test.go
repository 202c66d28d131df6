package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// What a claim holds survives its pod, a reboot and its own manifest; it goes by podd delete pvc, and not while used.
func TestClaimLives(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("user", harness.Claiming("user", "data", "echo life >>/v/lives; "+harness.Forever))
	b.WaitPod("user", func(p *corev1.Pod) string {
		if !strings.Contains(b.CLI("get", "events"), "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim \"data\" not found") {
			return "no event"
		}
		return ""
	})
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "1Gi"))
	b.Running("user")
	b.Says("user", "main", "cat /v/lives", "life")
	b.Shows([]string{"data", "Bound", "1Gi", "RWO", "podd"}, "get", "pvc")
	if _, stderr, code := b.RunCLI("delete", "pvc", "data"); code == 0 || !strings.Contains(stderr, "uses persistentvolumeclaim") {
		t.Errorf("a claim in use was deleted: %s", stderr)
	}
	b.MustReboot()
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.Running("user")
	b.Says("user", "main", "cat /v/lives", "life\nlife")
	b.MustRemove("user")
	b.Gone("user")
	b.MustRemove("data")
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "1Gi"))
	b.MustDrop("user", harness.Claiming("user", "data", "echo life >>/v/lives; "+harness.Forever))
	b.Running("user")
	b.Says("user", "main", "cat /v/lives", "life\nlife\nlife")
	b.MustRemove("user")
	b.Gone("user")
	b.CLI("delete", "pvc", "data")
	if entries, err := os.ReadDir(filepath.Join(b.Root, "volumes")); err != nil || len(entries) != 0 {
		t.Errorf("after the deletion there is %v, %v", entries, err)
	}
}

// A claim that cannot be bound waits with the reason; one is bound to the smallest volume that does, and stays so.
func TestClaimBinding(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "disk")
	b.Must(os.MkdirAll(host, 0o777))
	volume := func(name, size string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: %s}\nspec:\n  capacity: {storage: %s}\n  accessModes: [ReadWriteOnce]\n  storageClassName: slow\n  hostPath: {path: %s}\n", name, size, host)
	}
	b.MustDrop("volumes", volume("small", "1Gi")+"---\n"+volume("middle", "5Gi")+"---\n"+volume("large", "50Gi"))
	b.MustDrop("claim", harness.ClaimOf("claim", "ReadWriteOnce", "2Gi", "storageClassName: slow"))
	b.MustDrop("none", harness.ClaimOf("none", "ReadWriteOnce", "2Gi", "storageClassName: \"\""))
	b.MustDrop("foreign", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: cloud}\nprovisioner: example.com/disks\n---\n"+harness.ClaimOf("foreign", "ReadWriteOnce", "1Gi", "storageClassName: cloud"))
	b.MustDrop("other", harness.ClaimOf("other", "ReadWriteOnce", "1Gi", "storageClassName: nothing"))
	b.Shows([]string{"claim", "Bound", "middle", "5Gi"}, "get", "pvc")
	b.Shows([]string{"middle", "Bound", "default/claim"}, "get", "pv")
	b.Shows([]string{"small", "Available"}, "get", "pv")
	for name, why := range map[string]string{
		"none": "no persistent volumes available for this claim and no storage class is set", "foreign": "external provisioner 'example.com/disks'",
		"other": "storageclass.storage.k8s.io \"nothing\" not found",
	} {
		b.Shows([]string{name, "Pending"}, "get", "pvc")
		if events := b.CLI("get", "events"); !strings.Contains(events, why) {
			t.Errorf("%s: no %q in\n%s", name, why, events)
		}
	}
	b.MustDrop("user", harness.Claiming("user", "claim", "echo here >/v/f; "+harness.Forever))
	b.Running("user")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // that it runs does not say how far it has come
		data, err := os.ReadFile(filepath.Join(host, "f"))
		return string(data) == "here\n", fmt.Errorf("the volume's folder has %q, %w", data, err)
	}))
	b.MustDrop("copy", harness.ClaimOf("copy", "ReadWriteOnce", "1Gi", "dataSource: {kind: PersistentVolumeClaim, name: copy}"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Contains(b.CLI("get", "events"), "spec.dataSource: Forbidden: podd does not copy volumes"), errors.New("a claim on itself is not refused")
	}))
}

// ReadWriteOncePod means one pod; reclaimPolicy Delete removes what nobody claims any more.
func TestClaimModes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("class", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: scratch}\nprovisioner: podd.dev/folder\nreclaimPolicy: Delete\n")
	b.MustDrop("claim", harness.ClaimOf("claim", "ReadWriteOncePod", "1Mi", "storageClassName: scratch"))
	b.MustDrop("one", harness.Claiming("one", "claim", harness.Forever))
	b.Running("one")
	b.MustDrop("two", harness.Claiming("two", "claim", harness.Forever))
	b.WaitPod("two", func(p *corev1.Pod) string {
		if strings.Contains(b.CLI("get", "events"), "pod \"one\" uses persistentvolumeclaim \"claim\", whose access mode is ReadWriteOncePod") {
			return ""
		}
		return "the second pod is not told"
	})
	b.MustRemove("one")
	b.Gone("one")
	b.Running("two")
	b.MustRemove("claim")
	b.MustRemove("two")
	b.Gone("two")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		entries, err := os.ReadDir(filepath.Join(b.Root, "volumes"))
		return err == nil && len(entries) == 0, fmt.Errorf("the folder of a claim with reclaimPolicy Delete stays: %v", err)
	}))
}

// A backup has owners, modes, links, holes and attributes; a restore gives all of it back, whole or not at all.
func TestBackup(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "1Gi"))
	b.MustDrop("user", harness.Claiming("user", "data", "cd /v; mkdir -p a/b; echo x >a/b/f; chown 7:8 a/b/f; chmod 4755 a/b/f; ln a/b/f hard; ln -s a/b/f soft; mkfifo pipe; dd if=/dev/zero of=sparse bs=1 count=1 seek=1048575 2>/dev/null; touch done; "+harness.Forever))
	b.Running("user")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, _, code := b.RunCLI("exec", "user", "--", "test", "-e", "/v/done")
		return code == 0, errors.New("not done")
	}))
	look := "cd /v; find . | sort; stat -c '%u:%g %a %h' a/b/f; cat hard soft; stat -c %s sparse; test -p pipe && echo pipe"
	want, archive := b.Sh("user", "main", look), b.CLI("backup", "pvc", "data")
	restore := func(data string) error {
		command := b.Podd("restore", "pvc", "data")
		command.Stdin = strings.NewReader(data)
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
		}
		return nil
	}
	if err := restore(archive); err == nil || !strings.Contains(err.Error(), "uses persistentvolumeclaim") {
		t.Errorf("restored under a running pod: %v", err)
	}
	b.MustRemove("user")
	b.Gone("user")
	if err := restore(archive[:len(archive)/2]); err == nil {
		t.Error("half an archive was restored")
	}
	b.CLI("delete", "pvc", "data")
	b.Must(restore(archive))
	b.MustDrop("user", harness.Claiming("user", "data", harness.Forever))
	b.Running("user")
	if got := b.Sh("user", "main", look); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if got := b.Sh("user", "main", "test $(du -k /v/sparse | cut -f1) -lt 128 && echo sparse"); got != "sparse" {
		t.Error("the hole was filled")
	}
}

// What a claim holds goes when its manifest goes, not when it turns bad: neither by an edit before the daemon died nor by
// one after.
func TestBadEditKeepsTheDataOfClaims(t *testing.T) {
	t.Parallel()
	whole := "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: scratch}\nprovisioner: podd.dev/folder\nreclaimPolicy: Delete\n---\n" +
		harness.ClaimOf("data", "ReadWriteOnce", "1Mi", "storageClassName: scratch") +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n---\n" +
		harness.Claiming("one", "data", "echo whole >/v/precious; "+harness.Forever)
	for name, edit := range map[string]func(b *harness.Board, turnBad func()){
		"before": func(b *harness.Board, turnBad func()) { turnBad(); awaitProblem(b); b.MustKill9(); b.MustStart() },
		"after":  func(b *harness.Board, turnBad func()) { b.MustKill9(); turnBad(); b.MustStart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBoard(t)
			b.MustDrop("all", whole)
			b.Running("one")
			precious := filepath.Join(b.Root, "volumes", "default_data", "precious")
			b.Must(lab.Poll(harness.Limit, func() (bool, error) { _, err := os.Stat(precious); return err == nil, err }))
			edit(b, func() { b.MustDrop("all", "bad: [\n") })
			b.Running("one")
			if name == "before" {
				b.Shows([]string{"settings"}, "get", "cm")
				b.Shows([]string{"data", "Bound"}, "get", "pvc")
			}
			b.MustStop() // its pod ends, and nothing uses the claim any more
			b.MustStart()
			b.MustDrop("other", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n") // claims are looked at when anything changes
			b.Shows([]string{"other"}, "get", "cm")
			b.Must(lab.Poll(harness.Limit, func() (bool, error) { // the pod, which writes it anew, may be starting
				data, err := os.ReadFile(precious)
				return string(data) == "whole\n", fmt.Errorf("the claim has %q, %v", data, err)
			}))
			b.MustDrop("all", whole)
			b.Running("one")
			b.MustRemove("all")
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				_, err := os.Stat(filepath.Dir(precious))
				return errors.Is(err, fs.ErrNotExist), fmt.Errorf("the folder of a claim that is gone stays: %v", err)
			}))
		})
	}
}

// awaitProblem waits until podd says that a file cannot be parsed.
func awaitProblem(b *harness.Board) {
	b.T.Helper()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Contains(b.CLI("get", "events"), "InvalidManifest"), errors.New("the bad edit is not told")
	}))
}
