package test

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

	"podd/test/lab"
)

// claimOf is a claim; more lines go into its spec.
func claimOf(name, mode, size string, more ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s}\nspec:\n  accessModes: [%s]\n  resources: {requests: {storage: %s}}\n", name, mode, size) + indent(strings.Join(more, "\n"), 2)
}

func claiming(name, claim, script string) string {
	return podOf(name, "volumes: [{name: v, persistentVolumeClaim: {claimName: "+claim+"}}]\n", mounting("main", script, "{name: v, mountPath: /v}"))
}

// shows waits until a listing has a line with all the words.
func (b *Board) shows(words []string, args ...string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		out := b.podd(args...)
		for line := range strings.Lines(out) {
			if fields := strings.Fields(line); containsAll(fields, words) {
				return true, nil
			}
		}
		return false, fmt.Errorf("no line with %v in\n%s", words, out)
	}))
}

func containsAll(list, words []string) bool {
	have := map[string]bool{}
	for _, s := range list {
		have[s] = true
	}
	for _, w := range words {
		if !have[w] {
			return false
		}
	}
	return true
}

// What a claim holds survives its pod, a reboot and its own manifest; it goes by podd delete pvc, and not while used.
func TestClaimLives(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("user", claiming("user", "data", "echo life >>/v/lives; "+forever))
	b.wait("user", func(p *corev1.Pod) string {
		if !strings.Contains(b.podd("get", "events"), "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim \"data\" not found") {
			return "no event"
		}
		return ""
	})
	b.drop("data", claimOf("data", "ReadWriteOnce", "1Gi"))
	b.running("user")
	b.says("user", "main", "cat /v/lives", "life")
	b.shows([]string{"data", "Bound", "1Gi", "RWO", "podd"}, "get", "pvc")
	if _, stderr, code := b.run("delete", "pvc", "data"); code == 0 || !strings.Contains(stderr, "uses persistentvolumeclaim") {
		t.Errorf("a claim in use was deleted: %s", stderr)
	}
	b.reboot()
	b.loadImages("busybox.tar")
	b.start()
	b.running("user")
	b.says("user", "main", "cat /v/lives", "life\nlife")
	b.remove("user")
	b.gone("user")
	b.remove("data")
	b.drop("data", claimOf("data", "ReadWriteOnce", "1Gi"))
	b.drop("user", claiming("user", "data", "echo life >>/v/lives; "+forever))
	b.running("user")
	b.says("user", "main", "cat /v/lives", "life\nlife\nlife")
	b.remove("user")
	b.gone("user")
	b.podd("delete", "pvc", "data")
	if entries, err := os.ReadDir(filepath.Join(b.Root, "volumes")); err != nil || len(entries) != 0 {
		t.Errorf("after the deletion there is %v, %v", entries, err)
	}
}

// A claim that cannot be bound waits with the reason; one is bound to the smallest volume that does, and stays so.
func TestClaimBinding(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	host := filepath.Join(b.Dir, "disk")
	b.must(os.MkdirAll(host, 0o777))
	volume := func(name, size string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: %s}\nspec:\n  capacity: {storage: %s}\n  accessModes: [ReadWriteOnce]\n  storageClassName: slow\n  hostPath: {path: %s}\n", name, size, host)
	}
	b.drop("volumes", volume("small", "1Gi")+"---\n"+volume("middle", "5Gi")+"---\n"+volume("large", "50Gi"))
	b.drop("claim", claimOf("claim", "ReadWriteOnce", "2Gi", "storageClassName: slow"))
	b.drop("none", claimOf("none", "ReadWriteOnce", "2Gi", "storageClassName: \"\""))
	b.drop("foreign", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: cloud}\nprovisioner: example.com/disks\n---\n"+claimOf("foreign", "ReadWriteOnce", "1Gi", "storageClassName: cloud"))
	b.drop("other", claimOf("other", "ReadWriteOnce", "1Gi", "storageClassName: nothing"))
	b.shows([]string{"claim", "Bound", "middle", "5Gi"}, "get", "pvc")
	b.shows([]string{"middle", "Bound", "default/claim"}, "get", "pv")
	b.shows([]string{"small", "Available"}, "get", "pv")
	for name, why := range map[string]string{
		"none": "no persistent volumes available for this claim and no storage class is set", "foreign": "external provisioner 'example.com/disks'",
		"other": "storageclass.storage.k8s.io \"nothing\" not found",
	} {
		b.shows([]string{name, "Pending"}, "get", "pvc")
		if events := b.podd("get", "events"); !strings.Contains(events, why) {
			t.Errorf("%s: no %q in\n%s", name, why, events)
		}
	}
	b.drop("user", claiming("user", "claim", "echo here >/v/f; "+forever))
	b.running("user")
	b.must(lab.Poll(limit, func() (bool, error) { // that it runs does not say how far it has come
		data, err := os.ReadFile(filepath.Join(host, "f"))
		return string(data) == "here\n", fmt.Errorf("the volume's folder has %q, %w", data, err)
	}))
	b.drop("copy", claimOf("copy", "ReadWriteOnce", "1Gi", "dataSource: {kind: PersistentVolumeClaim, name: copy}"))
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Contains(b.podd("get", "events"), "spec.dataSource: Forbidden: podd does not copy volumes"), errors.New("a claim on itself is not refused")
	}))
}

// ReadWriteOncePod means one pod; reclaimPolicy Delete removes what nobody claims any more.
func TestClaimModes(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("class", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: scratch}\nprovisioner: podd.dev/folder\nreclaimPolicy: Delete\n")
	b.drop("claim", claimOf("claim", "ReadWriteOncePod", "1Mi", "storageClassName: scratch"))
	b.drop("one", claiming("one", "claim", forever))
	b.running("one")
	b.drop("two", claiming("two", "claim", forever))
	b.wait("two", func(p *corev1.Pod) string {
		if strings.Contains(b.podd("get", "events"), "pod \"one\" uses persistentvolumeclaim \"claim\", whose access mode is ReadWriteOncePod") {
			return ""
		}
		return "the second pod is not told"
	})
	b.remove("one")
	b.gone("one")
	b.running("two")
	b.remove("claim")
	b.remove("two")
	b.gone("two")
	b.must(lab.Poll(limit, func() (bool, error) {
		entries, err := os.ReadDir(filepath.Join(b.Root, "volumes"))
		return err == nil && len(entries) == 0, fmt.Errorf("the folder of a claim with reclaimPolicy Delete stays: %v", err)
	}))
}

// A backup has owners, modes, links, holes and attributes; a restore gives all of it back, whole or not at all.
func TestBackup(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("data", claimOf("data", "ReadWriteOnce", "1Gi"))
	b.drop("user", claiming("user", "data", "cd /v; mkdir -p a/b; echo x >a/b/f; chown 7:8 a/b/f; chmod 4755 a/b/f; ln a/b/f hard; ln -s a/b/f soft; mkfifo pipe; dd if=/dev/zero of=sparse bs=1 count=1 seek=1048575 2>/dev/null; touch done; "+forever))
	b.running("user")
	b.must(lab.Poll(limit, func() (bool, error) {
		_, _, code := b.run("exec", "user", "--", "test", "-e", "/v/done")
		return code == 0, errors.New("not done")
	}))
	look := "cd /v; find . | sort; stat -c '%u:%g %a %h' a/b/f; cat hard soft; stat -c %s sparse; test -p pipe && echo pipe"
	want, archive := b.sh("user", "main", look), b.podd("backup", "pvc", "data")
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
	b.remove("user")
	b.gone("user")
	if err := restore(archive[:len(archive)/2]); err == nil {
		t.Error("half an archive was restored")
	}
	b.podd("delete", "pvc", "data")
	b.must(restore(archive))
	b.drop("user", claiming("user", "data", forever))
	b.running("user")
	if got := b.sh("user", "main", look); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if got := b.sh("user", "main", "test $(du -k /v/sparse | cut -f1) -lt 128 && echo sparse"); got != "sparse" {
		t.Error("the hole was filled")
	}
}

// What a claim holds goes when its manifest goes, not when it turns bad: neither by an edit before the daemon died nor by
// one after.
func TestBadEditKeepsTheDataOfClaims(t *testing.T) {
	t.Parallel()
	whole := "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: scratch}\nprovisioner: podd.dev/folder\nreclaimPolicy: Delete\n---\n" +
		claimOf("data", "ReadWriteOnce", "1Mi", "storageClassName: scratch") +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n---\n" +
		claiming("one", "data", "echo whole >/v/precious; "+forever)
	for name, edit := range map[string]func(b *Board, turnBad func()){
		"before": func(b *Board, turnBad func()) { turnBad(); b.awaitProblem(); b.kill9(); b.start() },
		"after":  func(b *Board, turnBad func()) { b.kill9(); turnBad(); b.start() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t)
			b.drop("all", whole)
			b.running("one")
			precious := filepath.Join(b.Root, "volumes", "default_data", "precious")
			b.must(lab.Poll(limit, func() (bool, error) { _, err := os.Stat(precious); return err == nil, err }))
			edit(b, func() { b.drop("all", "bad: [\n") })
			b.running("one")
			if name == "before" {
				b.shows([]string{"settings"}, "get", "cm")
				b.shows([]string{"data", "Bound"}, "get", "pvc")
			}
			b.stop() // its pod ends, and nothing uses the claim any more
			b.start()
			b.drop("other", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n") // claims are looked at when anything changes
			b.shows([]string{"other"}, "get", "cm")
			b.must(lab.Poll(limit, func() (bool, error) { // the pod, which writes it anew, may be starting
				data, err := os.ReadFile(precious)
				return string(data) == "whole\n", fmt.Errorf("the claim has %q, %v", data, err)
			}))
			b.drop("all", whole)
			b.running("one")
			b.remove("all")
			b.must(lab.Poll(limit, func() (bool, error) {
				_, err := os.Stat(filepath.Dir(precious))
				return errors.Is(err, fs.ErrNotExist), fmt.Errorf("the folder of a claim that is gone stays: %v", err)
			}))
		})
	}
}

// awaitProblem waits until podd says that a file cannot be parsed.
func (b *Board) awaitProblem() {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Contains(b.podd("get", "events"), "InvalidManifest"), errors.New("the bad edit is not told")
	}))
}
