package images

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
)

var update = flag.Bool("update", false, "write the golden trees anew")

// describe lists a tree: kind and mode, owner, links, size, time, attributes, name and target.
func describe(t testing.TB, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		size := ""
		extra := ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			size = fmt.Sprintf(" %d bytes", st.Size)
			if st.Blocks*512 < st.Size {
				extra += " sparse"
			}
			if st.Nlink > 1 {
				extra += fmt.Sprintf(" links=%d", st.Nlink)
			}
		case unix.S_IFCHR:
			extra += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFLNK:
			target, _ := os.Readlink(path)
			extra += " -> " + target
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			x, err := readXattrs(path)
			if err != nil {
				return err
			}
			var names []string
			for name, value := range x {
				names = append(names, fmt.Sprintf(" %s=%q", name, value))
			}
			slices.Sort(names)
			extra += strings.Join(names, "")
		}
		when := time.Unix(st.Mtim.Unix()).UTC().Format("2006-01-02T15:04:05.999999999")
		if st.Mode&unix.S_IFMT == unix.S_IFCHR {
			when = "-" // a whiteout has no time of its own
		}
		fmt.Fprintf(&out, "%06o %d:%d %s%s %s%s\n", st.Mode, st.Uid, st.Gid, when, size, rel, extra)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func file(name string, change func(h *tar.Header)) imagetest.File {
	f := imagetest.Regular(name, "data of "+name)
	change(&f.Header)
	return f
}

func xattr(h *tar.Header, name, value string) {
	if h.PAXRecords == nil {
		h.PAXRecords = map[string]string{}
	}
	h.PAXRecords["SCHILY.xattr."+name] = value
}

func hardlink(name, target string) imagetest.File {
	return imagetest.File{Header: tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}}
}

func whiteoutOf(name string) imagetest.File {
	return imagetest.Regular(filepath.Join(filepath.Dir(name), ".wh."+filepath.Base(name)), "")
}

func opaque(dir string) imagetest.File { return imagetest.Regular(dir+"/"+opaqueName, "") }

var netBind = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // VFS_CAP_REVISION_2

func goldenLayers() map[string][]imagetest.File {
	root := imagetest.Dir("./")
	return map[string][]imagetest.File{
		"attributes": {
			root,
			imagetest.Dir("d/"),
			file("d/suid", func(h *tar.Header) { h.Mode = 0o4755 }),
			file("d/sgid-owned", func(h *tar.Header) { h.Mode = 0o2711; h.Uid = 1000; h.Gid = 65534 }),
			file("d/group-writable", func(h *tar.Header) { h.Mode = 0o666 }),
			file("d/none", func(h *tar.Header) { h.Mode = 0o4 }),
			file("d/nanoseconds", func(h *tar.Header) { h.ModTime = time.Unix(1234567890, 123456789); h.Format = tar.FormatPAX }),
			file("d/before-1970", func(h *tar.Header) { h.ModTime = time.Unix(-5, 0); h.Format = tar.FormatPAX }),
			file("d/cap", func(h *tar.Header) { h.Mode = 0o755; h.Uid = 7; xattr(h, "security.capability", netBind) }),
			file("d/user", func(h *tar.Header) { xattr(h, "user.colour", "blue"); xattr(h, "security.selinux", "x") }),
			file("d/big-uid", func(h *tar.Header) { h.Uid = 2000000000; h.Format = tar.FormatPAX }),
			{Header: tar.Header{Name: "sticky/", Typeflag: tar.TypeDir, Mode: 0o1777}},
			{Header: tar.Header{Name: "mail/", Typeflag: tar.TypeDir, Mode: 0o2775, Gid: 8}},
			imagetest.Regular("mail/of-root", "x"), imagetest.Dir("mail/sub/"), imagetest.Regular("mail/implied/x", "x"),
			imagetest.Symlink("absolute", "/etc/passwd"), imagetest.Symlink("up", "../../../etc/passwd"),
			{Header: tar.Header{Name: "owned-link", Typeflag: tar.TypeSymlink, Linkname: "d", Uid: 5, Mode: 0o777}},
			{Header: tar.Header{Name: "fifo", Typeflag: tar.TypeFifo, Mode: 0o622}},
			imagetest.Regular("empty", ""), imagetest.Regular("late-parent/x", "x"),
			{Header: tar.Header{Name: "late-parent/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 3}},
			imagetest.Regular("missing/parent/x", "x"), imagetest.Regular("./dot/./slash", "x"),
		},
		"links": {
			root, imagetest.Dir("bin/"), imagetest.Regular("bin/a", "same"), hardlink("bin/b", "bin/a"), hardlink("c", "./bin/b"),
			imagetest.Symlink("s", "bin/a"), hardlink("s2", "s"), imagetest.Dir("usr/"), imagetest.Dir("usr/lib/"),
			imagetest.Symlink("lib", "usr/lib"), imagetest.Regular("lib/through", "x"), imagetest.Dir("lib/dir/"),
		},
		"last-wins": {
			root, imagetest.Regular("twice", "first"), file("twice", func(h *tar.Header) { h.Mode = 0o600 }),
			imagetest.Dir("dir-to-file/"), imagetest.Regular("dir-to-file/x", "x"), imagetest.Regular("dir-to-file", "file"),
			imagetest.Regular("file-to-dir", "x"), imagetest.Dir("file-to-dir/"), imagetest.Regular("file-to-dir/y", "y"),
			imagetest.Symlink("link-to-file", "twice"), imagetest.Regular("link-to-file", "own"),
			imagetest.Dir("real/"), imagetest.Symlink("link-to-dir", "real"), imagetest.Dir("link-to-dir/"),
			imagetest.Regular("link-to-dir/z", "z"),
			imagetest.Dir("again/"),
			{Header: tar.Header{Name: "again/", Typeflag: tar.TypeDir, Mode: 0o711, Gid: 9}},
			imagetest.Regular("h1", "1"), hardlink("h2", "h1"), imagetest.Regular("h1", "other"),
		},
		"whiteouts": {
			root, imagetest.Dir("d/"), whiteoutOf("d/gone"), whiteoutOf("top"), opaque("new"), imagetest.Dir("new/"),
			imagetest.Regular("new/file", "x"), whiteoutOf("remade"), imagetest.Dir("remade/"), imagetest.Regular("remade/y", "y"),
			imagetest.Dir("kept/"), whiteoutOf("kept"), imagetest.Regular("file", "x"), whiteoutOf("file"),
			whiteoutOf("file-after"), imagetest.Regular("file-after", "x"), whiteoutOf("implied"), imagetest.Regular("implied/x", "x"),
			imagetest.Regular(".wh..wh.aufs", ""), imagetest.Dir(".wh..wh.plnk/"), imagetest.Regular(".wh..wh.plnk/1.2", "x"),
			opaque("deep/er"), whiteoutOf("odd/.wh"),
		},
		"sparse": {
			root, imagetest.Regular("zeros", strings.Repeat("\x00", 1<<20)),
			imagetest.Regular("hole", "a"+strings.Repeat("\x00", 300000)+"z"), imagetest.Regular("tail", strings.Repeat("x", 5000)+strings.Repeat("\x00", 200000)),
			imagetest.Regular("head", strings.Repeat("\x00", 200001)+"x"), imagetest.Regular("small-zeros", "\x00\x00\x00"),
		},
		"devices": {
			root, imagetest.Dir("dev/"),
			{Header: tar.Header{Name: "dev/console", Typeflag: tar.TypeChar, Devmajor: 5, Devminor: 1}},
			{Header: tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8}},
			hardlink("dev/console2", "dev/console"),
			imagetest.Symlink("dev/stdin", "/proc/self/fd/0"),
		},
	}
}

func unpackBytes(t testing.TB, data []byte, l limits) (string, unpacked, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layer")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := unpackLayer(context.Background(), bytes.NewReader(data), dir, l)
	return dir, u, err
}

func generous() limits { return limits{1 << 30, 1e5, 200} }

func TestGoldenTrees(t *testing.T) {
	needRoot(t)
	for name, files := range goldenLayers() {
		t.Run(name, func(t *testing.T) {
			data := must(t, func() ([]byte, error) { return imagetest.Tar(files...) })
			dir, u, err := unpackBytes(t, data, generous())
			if err != nil {
				t.Fatal(err)
			}
			if u.diffID != imagetest.Digest(data) || u.blobID != u.diffID {
				t.Errorf("digests %s and %s of %s", u.diffID, u.blobID, imagetest.Digest(data))
			}
			slices.Sort(u.implicit)
			got := describe(t, dir) + fmt.Sprintf("implied: %q\n", u.implicit)
			golden := filepath.Join("testdata", "golden", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("unpacked:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
