package storage

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/seal"
	"podd/runtime/state"
	"podd/runtime/volume"
)

// board is what Claims work with in a test: what the manifests say, and the pods that run.
type board struct {
	*Claims
	t       *testing.T
	root    string
	pods    []*state.Record
	set     *manifest.Set
	reasons []string // of events
}

func newBoard(t *testing.T) *board { return newBoardAt(t, t.TempDir()) }

func newBoardAt(t *testing.T, root string) *board {
	b := &board{t: t, root: root, set: &manifest.Set{}}
	b.reopen()
	t.Cleanup(func() { b.Disk.Wait() })
	return b
}

// reopen begins anew as the next daemon does.
func (b *board) reopen() {
	b.t.Helper()
	if b.Claims != nil {
		b.Disk.Wait()
	}
	log := slog.New(slog.DiscardHandler)
	b.Claims = New(b.root, &Claims{
		Objects: &objects.Desired{Keys: seal.Keys{Root: b.root}, Log: log}, Store: objects.NewStore(), Disk: &state.Disk{Log: log}, Log: log,
		RecordEvent: func(_ time.Time, _ corev1.ObjectReference, _, reason, _ string) {
			b.reasons = append(b.reasons, reason)
		},
	})
	if err := b.Read(); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Log(err)
	}
}

func (b *board) view() View {
	return View{Pods: slices.Values(b.pods), Manifests: b.set, Now: state.Now()}
}

// say makes these the objects of the folder and binds.
func (b *board) say(list ...manifest.Object) {
	b.Objects.Replace(list, time.Now())
	b.Bind(b.view())
}

// shown is a claim as the API has it.
func (b *board) shown(name string) *corev1.PersistentVolumeClaim {
	b.t.Helper()
	list, _ := b.Store.Objects(KindClaim)
	for _, o := range list {
		if o.GetName() == name {
			return o.(*corev1.PersistentVolumeClaim)
		}
	}
	b.t.Fatalf("claim %q is not shown", name)
	return nil
}

func claim(name string, edit ...func(*corev1.PersistentVolumeClaim)) manifest.Object {
	c := &corev1.PersistentVolumeClaim{}
	c.Namespace, c.Name, c.UID = "default", name, types.UID("uid-"+name)
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
	for _, e := range edit {
		e(c)
	}
	return manifest.Object{Kind: KindClaim, Namespace: "default", Name: name, Value: c, Hash: name}
}

func hostVolume(name, folder string) manifest.Object {
	v := &corev1.PersistentVolume{}
	v.Name = name
	v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	v.Spec.HostPath = &corev1.HostPathVolumeSource{Path: folder}
	return manifest.Object{Kind: KindVolume, Name: name, Value: v, Hash: name}
}

func deletingClass() manifest.Object {
	policy := corev1.PersistentVolumeReclaimDelete
	class := &storagev1.StorageClass{Provisioner: Provisioner, ReclaimPolicy: &policy}
	class.Name = "short-lived"
	return manifest.Object{Kind: kindClass, Name: class.Name, Value: class, Hash: "class"}
}

func inClass(name string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &name }
}

// user is a pod with a claim as volume data, whose folder it has.
func user(name, claim, folder string) *state.Record {
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID = "default", name, types.UID("uid-"+name)
	p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	}}}
	rec := state.NewRecord(p.UID, p, state.Now())
	if folder != "" {
		rec.State = state.PodRunning
		rec.Volumes.MarkReady(map[string]string{"data": folder}, nil)
	}
	return rec
}

// What a claim is bound to stays, whatever the manifests offer after a reboot.
func TestBindingStays(t *testing.T) {
	b := newBoard(t)
	b.say(claim("db"))
	own := filepath.Join(b.root, "volumes", "default_db")
	if a := b.Folder(b.view(), user("p", "db", ""), "db"); a.Err != nil || a.Folder != own || a.Dir != filepath.Dir(own) || a.Size != 1<<20 {
		t.Fatalf("folder %+v", a)
	}
	if c := b.shown("db"); c.Status.Phase != corev1.ClaimBound || c.Spec.VolumeName != "pvc-uid-db" || *c.Spec.StorageClassName != DefaultClass {
		t.Errorf("shown as %+v", c)
	}
	b.reopen()
	b.say(hostVolume("card", "/srv/card"), claim("db"))
	if a := b.Folder(b.view(), user("p", "db", ""), "db"); a.Folder != own {
		t.Errorf("after a reboot the claim has %s", a.Folder)
	}
	b.say(hostVolume("card", "/srv/card"), claim("db"), claim("photos"))
	if a := b.Folder(b.view(), user("p", "photos", ""), "photos"); a.Folder != "/srv/card" || a.Dir != "" {
		t.Errorf("the volume of the manifests is not used: %+v", a)
	}
	b.say(hostVolume("card", "/srv/card"), claim("db"))
	volumes, _ := b.Store.Objects(KindVolume)
	if v := volumes[0].(*corev1.PersistentVolume); v.Status.Phase != corev1.VolumeReleased || v.Spec.ClaimRef.Name != "photos" {
		t.Errorf("the volume of a claim that is gone: %+v, %+v", v.Status, v.Spec.ClaimRef)
	}
}

// Why a claim waits is told once, and told to the pods that wait for it.
func TestPending(t *testing.T) {
	b := newBoard(t)
	for range 2 {
		b.say(claim("db", inClass("fast")))
	}
	a := b.Folder(b.view(), user("p", "db", ""), "db")
	if a.Err == nil || !strings.Contains(a.Err.Error(), `"fast" not found`) || !slices.Equal(b.reasons, []string{"ProvisioningFailed"}) || b.shown("db").Status.Phase != corev1.ClaimPending {
		t.Errorf("error %v, events %v", a.Err, b.reasons)
	}
	if a := b.Folder(b.view(), user("p", "other", ""), "other"); !errors.Is(a.Err, volume.ErrNotFound) {
		t.Errorf("a claim that no manifest has: %v", a.Err)
	}
}

// Of a claim that one pod may use at a time, the second pod is told who has it.
func TestReadWriteOncePod(t *testing.T) {
	b := newBoard(t)
	b.say(claim("db", func(c *corev1.PersistentVolumeClaim) {
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
	}))
	first := user("first", "db", "/there")
	b.pods = append(b.pods, first)
	if a := b.Folder(b.view(), first, "db"); a.Err != nil {
		t.Errorf("the pod that has it: %v", a.Err)
	}
	second := user("second", "db", "")
	if a := b.Folder(b.view(), second, "db"); a.Err == nil || !strings.Contains(a.Err.Error(), `pod "first" uses`) {
		t.Errorf("the second pod: %v", a.Err)
	}
	first.State = state.PodFinished
	if a := b.Folder(b.view(), second, "db"); a.Err != nil {
		t.Errorf("after the end of the first: %v", a.Err)
	}
}

// The folder of a claim goes with it only if its class says so, no pod uses it, and its manifest is surely gone.
func TestReclaim(t *testing.T) {
	b := newBoard(t)
	shortLived := claim("cache", inClass("short-lived"))
	b.say(deletingClass(), shortLived, claim("db"))
	cache, db := filepath.Join(b.root, "volumes", "default_cache"), filepath.Join(b.root, "volumes", "default_db")
	for _, dir := range []string{cache, db} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	there := func(when string, want bool) {
		t.Helper()
		b.Disk.Wait()
		if _, err := os.Stat(cache); (err == nil) != want {
			t.Fatalf("%s: %v", when, err)
		}
	}
	b.set = nil
	b.say(deletingClass())
	there("before the first scan", true)
	b.set = &manifest.Set{Problems: []manifest.Problem{{File: "bad.yaml", Reason: manifest.ReasonInvalid}}}
	b.say(deletingClass())
	there("with a file that nobody can read", true)
	b.set, b.pods = &manifest.Set{}, []*state.Record{user("p", "cache", cache)}
	b.say(deletingClass())
	there("while a pod uses it", true)
	b.pods = nil
	b.say(deletingClass())
	there("in the end", false)
	if _, err := os.Stat(db); err != nil {
		t.Errorf("a claim whose class says nothing: %v", err)
	}
}

// Where it is lost what claims were bound to, only what cannot be anything else is taken.
func TestBindingsLost(t *testing.T) {
	b := newBoard(t)
	list := []manifest.Object{hostVolume("a", "/srv/a"), hostVolume("b", "/srv/b"), claim("own"), claim("used"), claim("unknown")}
	b.say(claim("own"))
	b.Disk.Wait()
	if err := errors.Join(os.WriteFile(filepath.Join(b.root, "claims.json"), []byte("{"), 0o600), os.MkdirAll(filepath.Join(b.root, "volumes", "default_own"), 0o700)); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	b.pods = []*state.Record{user("p", "used", "/srv/b")}
	b.say(list...)
	for name, want := range map[string]string{"own": filepath.Join(b.root, "volumes", "default_own"), "used": "/srv/b"} {
		if a := b.Folder(b.view(), user("q", name, ""), name); a.Folder != want {
			t.Errorf("claim %s has %+v", name, a)
		}
	}
	b.say(append(list, hostVolume("c", "/srv/c"))...)
	b.reopen()
	b.say(append(list, hostVolume("c", "/srv/c"))...)
	if a := b.Folder(b.view(), user("q", "unknown", ""), "unknown"); a.Err == nil || !strings.Contains(a.Err.Error(), "is lost") {
		t.Errorf("a claim that may be bound to two volumes: %+v", a)
	}
}

// A file that no podd has written is refused whole.
func TestReadBelievesNothing(t *testing.T) {
	for _, text := range []string{"{", "[]", `{"db":{"volume":"v"}}`, `{"a_b/db":{"volume":"v"}}`, `{"a/b/db":{"volume":"v"}}`, `{"a/db":null}`, `{"a/db":{}}`, `{"a/db":{"volume":"v","folder":"x"}}`} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "claims.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c := New(root, &Claims{}); c.Read() == nil || len(c.bound) > 0 || !c.lost {
			t.Errorf("%s is believed", text)
		}
	}
}

// What a claim holds is deleted, saved and restored only while no pod has it.
func TestClaimData(t *testing.T) {
	b := newBoard(t)
	if err := b.Delete(b.view(), "default", "db"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("a claim that is not there: %v", err)
	}
	b.say(hostVolume("card", "/srv/card"), claim("photos"))
	b.say(hostVolume("card", "/srv/card"), claim("photos"), claim("db"))
	if _, err := b.DataFolder(b.view(), "default", "photos", true); err == nil || !strings.Contains(err.Error(), "restore it there yourself") {
		t.Errorf("a folder of the host: %v", err)
	}
	if a, err := b.DataFolder(b.view(), "default", "photos", false); err != nil || a.Folder != "/srv/card" {
		t.Errorf("to be saved: %+v, %v", a, err)
	}
	a, err := b.DataFolder(b.view(), "default", "db", true)
	if err != nil || a.Size != 1<<20 {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := os.MkdirAll(a.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.Folder, "row"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := volume.Backup(a.Folder, &archive); err != nil {
		t.Fatal(err)
	}
	b.pods = []*state.Record{user("p", "db", a.Folder)}
	if _, err := b.DataFolder(b.view(), "default", "db", true); err == nil || !strings.Contains(err.Error(), `pod "p" uses`) {
		t.Errorf("while a pod has it: %v", err)
	}
	if err := b.Delete(b.view(), "default", "db"); err == nil || !strings.Contains(err.Error(), "remove the pod first") {
		t.Errorf("while a pod has it: %v", err)
	}
	b.pods = nil
	if err := b.Delete(b.view(), "default", "db"); err != nil {
		t.Fatal(err)
	}
	b.Disk.Wait()
	if _, err := os.Stat(a.Folder); !errors.Is(err, os.ErrNotExist) || b.shown("db").Status.Phase != corev1.ClaimBound {
		t.Fatalf("after it was deleted: %v", err)
	}
	testRestore(t, a, archive.Bytes())
}

// testRestore restores an archive with a file row: not while a pod comes, not what is no archive, and then whole.
func testRestore(t *testing.T, a executor.ClaimFolder, archive []byte) {
	t.Helper()
	busy := errors.New("a pod has come")
	free := func() error { return nil }
	for _, c := range []struct {
		in    io.Reader
		check func() error
	}{{bytes.NewReader(archive), func() error { return busy }}, {strings.NewReader("no archive"), free}} {
		if err := Restore(a, c.in, c.check); err == nil {
			t.Error("it was restored")
		}
		if left, _ := filepath.Glob(a.Folder + "*"); len(left) > 1 || len(left) == 1 && left[0] == a.Folder {
			t.Errorf("left: %v", left)
		}
	}
	if err := Restore(a, bytes.NewReader(archive), free); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(a.Folder, "row")); string(data) != "1" {
		t.Errorf("restored %q, %v", data, err)
	}
}

func TestWaitsForClaim(t *testing.T) {
	waits, has, none := user("a", "db", ""), user("b", "db", "/there"), state.NewRecord("c", &corev1.Pod{}, state.Now())
	if !WaitsForClaim(waits) || WaitsForClaim(has) || WaitsForClaim(none) {
		t.Error("not exactly the pod without its claim waits for one")
	}
}

// The claims that ephemeral volumes stand for are shown while their pod is there, in the place of none of the folder.
func TestEphemeral(t *testing.T) {
	b := newBoard(t)
	b.say(claim("p-kept"))
	template := &corev1.PersistentVolumeClaimTemplate{Spec: claim("x").Value.(*corev1.PersistentVolumeClaim).Spec}
	rec := user("p", "db", "/there")
	for _, name := range []string{"scratch", "kept"} {
		rec.Object.Spec.Volumes = append(rec.Object.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: template},
		}})
	}
	b.ShowEphemeral(rec)
	c := b.shown("p-scratch")
	if c.Status.Phase != corev1.ClaimBound || c.OwnerReferences[0].Name != "p" || c.Spec.VolumeName != "pvc-uid-p-scratch" || *c.Spec.StorageClassName != DefaultClass {
		t.Errorf("shown as %+v", c)
	}
	if len(b.shown("p-kept").OwnerReferences) != 0 {
		t.Error("the folder's claim is the pod's")
	}
	b.HideEphemeral(rec)
	if list, _ := b.Store.Objects(KindClaim); len(list) != 1 || list[0].GetName() != "p-kept" {
		t.Errorf("%d claims are shown", len(list))
	}
}
