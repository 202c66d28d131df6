package images

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
)

// Whatever file system the store is on: an image is pulled, mounted, verified, saved and removed as on any other, and what it
// is does not change when the disk is unmounted and mounted again.
func TestFileSystems(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	files := []imagetest.File{
		imagetest.Dir("etc/"), imagetest.Regular("etc/passwd", "root\n"), imagetest.Regular("etc/large", string(noise(300<<10, 3))),
		imagetest.Symlink("etc/link", "passwd"),
		{Header: tar.Header{Name: "etc/hard", Typeflag: tar.TypeLink, Linkname: "etc/passwd"}},
		{Header: tar.Header{Name: "etc/caps", Mode: 0o755, Uid: 70000, Gid: 70001, PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "mtime": "1700000000.123456789",
		}}, Data: []byte("program")},
		imagetest.Dir("old/"), imagetest.Regular("old/file", "old"), imagetest.Regular("gone", "x"), imagetest.Regular("holes", strings.Repeat("\x00", 1<<20)+"end"),
	}
	reg := registrytest.New()
	reg.Add(t, "app", "v1", imagetest.Image{Compress: "gzip", Layers: []imagetest.Layer{
		{Files: files},
		{Files: []imagetest.File{imagetest.Regular(".wh.gone", ""), imagetest.Dir("old/"), imagetest.Regular("old/.wh..wh..opq", ""), imagetest.Regular("old/new", "new")}},
	}})
	host := reg.Start(t)
	kinds := map[string][]string{"ext4 of small inodes": {"-t", "ext4", "-o", "loop"}, "tmpfs": {"-t", "tmpfs"}}
	for kind := range fileSystems {
		kinds[kind] = []string{"-t", kind, "-o", "loop"}
	}
	for name, mount := range kinds {
		t.Run(name, func(t *testing.T) {
			d := &disk{file: "none", mount: t.TempDir()}
			if name != "tmpfs" {
				d = newDisk(t, mount[1])
			}
			if name == "ext4 of small inodes" { // whose times are whole seconds
				if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-I", "128", d.file).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			mounted := func() {
				t.Helper()
				if out, err := exec.Command("mount", append(slices.Clone(mount), d.file, d.mount)...).CombinedOutput(); err != nil {
					t.Fatalf("cannot mount: %v, %s", err, out)
				}
			}
			mounted()
			defer func() { _ = unix.Unmount(d.mount, unix.MNT_DETACH) }() // of a test that has failed
			root := filepath.Join(d.mount, "store")
			var warned []error
			open := func(boot string) *Store {
				return must(t, func() (*Store, error) {
					return Open(root, Options{Boot: boot, Warn: func(err error) { warned = append(warned, err) }})
				})
			}
			s := open("one")
			img, err := pullFrom(s, impatient(), host, "app:v1")
			if err != nil {
				t.Fatal(err)
			}
			before := imagetest.DescribeTree(t, img.Layers[0]) + imagetest.DescribeTree(t, img.Layers[1])
			if name != "tmpfs" {
				if err := unix.Unmount(d.mount, 0); err != nil {
					t.Fatal(err)
				}
				mounted()
			}
			s = open("two") // which looks at all layers, as the first was not closed
			if img, err = s.Get(host + "/app:v1"); err != nil {
				t.Fatal(err)
			}
			if after := imagetest.DescribeTree(t, img.Layers[0]) + imagetest.DescribeTree(t, img.Layers[1]); after != before {
				t.Errorf("it has changed: %s", firstDifference(after, before))
			}
			for _, v := range verifyAll(t, s, false) {
				if v.Err != nil || len(v.Differences) > 0 {
					t.Errorf("it differs: %+v", v)
				}
			}
			merged := mountOverlay(t, img)
			want := []string{".", "etc", "etc/caps", "etc/hard", "etc/large", "etc/link", "etc/passwd", "holes", "old", "old/new"}
			if got := names(t, merged); !slices.Equal(got, want) {
				t.Errorf("mounted: %q", got)
			}
			if value := make([]byte, 100); len(want) > 0 {
				if n, err := unix.Lgetxattr(filepath.Join(merged, "etc/caps"), "security.capability", value); err != nil || n != 20 {
					t.Errorf("its capabilities: %d bytes, %v", n, err)
				}
			}
			if err := unix.Unmount(merged, 0); err != nil {
				t.Error(err)
			}
			var saved bytes.Buffer
			if err := s.Save(t.Context(), &saved, []string{host + "/app:v1"}); err != nil || saved.Len() == 0 {
				t.Errorf("saving: %v", err)
			}
			if _, err := s.Remove(img.ID, nil); err != nil {
				t.Error(err)
			}
			if left := leftovers(t, s, "tmp", "l", "d", "i"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if len(warned) > 0 {
				t.Errorf("it warns: %v", warned)
			}
			if err := unix.Unmount(d.mount, 0); err != nil {
				t.Error(err)
			}
			_ = os.Remove(d.file)
		})
	}
}
