package storage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
)

func nfsVolume(name, path string, options ...string) manifest.Object {
	o := hostVolume(name, "")
	v := o.Value.(*corev1.PersistentVolume)
	v.Spec.HostPath, v.Spec.NFS, v.Spec.MountOptions = nil, &corev1.NFSVolumeSource{Server: "nas", Path: path}, options
	o.Hash = name + strings.Join(options, ",")
	return o
}

// A claim that is bound to a server's folder has no folder on the board, over restarts; the options are those of now.
func TestClaimOfNFS(t *testing.T) {
	b := newBoard(t)
	b.say(claim("media"), nfsVolume("nas", "/media", "hard"))
	for _, again := range []bool{false, true} {
		if again {
			b.reopen()
			b.say(claim("media"), nfsVolume("nas", "/media", "soft"))
		}
		a := b.Folder(b.view(), user("p", "media", ""), "media")
		if a.Err != nil || a.Share == nil || a.Share.Source() != "nas:/media" || a.Dir != "" {
			t.Fatalf("the pod gets %+v", a)
		}
		if want := map[bool]string{false: "hard", true: "soft"}[again]; !slices.Equal(a.Share.Options, []string{want}) {
			t.Errorf("the options are %v, want %s", a.Share.Options, want)
		}
	}
	if got := b.NFSVolume(user("p", "media", "").Object); got != "data" {
		t.Errorf("the volume of nfs is %q", got)
	}
	if got := b.NFSVolume(user("p", "other", "").Object); got != "" {
		t.Errorf("the volume of no claim is of nfs: %q", got)
	}
	if _, err := b.DataFolder(b.view(), "default", "media", false); err == nil || !strings.Contains(err.Error(), "nas:/media of an NFS server") {
		t.Errorf("a backup: %v", err)
	}
	// What the manifests no longer have is known all the same.
	b.say(claim("media"))
	if a := b.Folder(b.view(), user("p", "media", ""), "media"); a.Share == nil || a.Share.Server != "nas" {
		t.Errorf("without its volume the claim has %+v", a)
	}
}

// The end of such a claim removes nothing.
func TestDeleteClaimOfNFS(t *testing.T) {
	b := newBoard(t)
	stranger := filepath.Join(b.root, "volumes", "default_media", "file")
	if err := os.MkdirAll(filepath.Dir(stranger), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.say(claim("media"), nfsVolume("nas", "/media"))
	if err := b.Delete(b.view(), "default", "media"); err != nil {
		t.Fatal(err)
	}
	b.Disk.Wait()
	if _, err := os.Lstat(stranger); err != nil {
		t.Errorf("podd has removed what it had not made: %v", err)
	}
}

// What a claim was bound to is lost; the pod that runs says which of two servers' folders it was.
func TestLostClaimOfNFS(t *testing.T) {
	b := newBoard(t)
	if err := os.WriteFile(filepath.Join(b.root, "claims.json"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	b.pods = append(b.pods, user("p", "media", "nas:/b"))
	b.say(claim("media"), nfsVolume("a", "/a"), nfsVolume("b", "/b"))
	if a := b.Folder(b.view(), user("q", "media", ""), "media"); a.Err != nil || a.Share == nil || a.Share.Path != "/b" {
		t.Errorf("the claim has %+v", a)
	}
}
