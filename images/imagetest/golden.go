package imagetest

import (
	"archive/tar"
	"path/filepath"
	"strings"
	"time"
)

func file(name string, change func(h *tar.Header)) File {
	f := Regular(name, "data of "+name)
	change(&f.Header)
	return f
}

func withXattr(h *tar.Header, name, value string) {
	if h.PAXRecords == nil {
		h.PAXRecords = map[string]string{}
	}
	h.PAXRecords["SCHILY.xattr."+name] = value
}

func hardlink(name, target string) File {
	return File{Header: tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}}
}

// WhiteoutOf deletes a name of the layers below.
func WhiteoutOf(name string) File {
	return Regular(filepath.Join(filepath.Dir(name), ".wh."+filepath.Base(name)), "")
}

func opaque(dir string) File { return Regular(dir+"/.wh..wh..opq", "") }

var netBind = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // VFS_CAP_REVISION_2

// GoldenLayers are layers with everything that a tar can say, by the name of the golden tree that they become.
func GoldenLayers() map[string][]File {
	root := Dir("./")
	return map[string][]File{
		"attributes": {
			root,
			Dir("d/"),
			file("d/suid", func(h *tar.Header) { h.Mode = 0o4755 }),
			file("d/sgid-owned", func(h *tar.Header) { h.Mode = 0o2711; h.Uid = 1000; h.Gid = 65534 }),
			file("d/group-writable", func(h *tar.Header) { h.Mode = 0o666 }),
			file("d/none", func(h *tar.Header) { h.Mode = 0o4 }),
			file("d/nanoseconds", func(h *tar.Header) { h.ModTime = time.Unix(1234567890, 123456789); h.Format = tar.FormatPAX }),
			file("d/before-1970", func(h *tar.Header) { h.ModTime = time.Unix(-5, 0); h.Format = tar.FormatPAX }),
			file("d/cap", func(h *tar.Header) { h.Mode = 0o755; h.Uid = 7; withXattr(h, "security.capability", netBind) }),
			file("d/user", func(h *tar.Header) { withXattr(h, "user.colour", "blue"); withXattr(h, "security.selinux", "x") }),
			file("d/big-uid", func(h *tar.Header) { h.Uid = 2000000000; h.Format = tar.FormatPAX }),
			{Header: tar.Header{Name: "sticky/", Typeflag: tar.TypeDir, Mode: 0o1777}},
			{Header: tar.Header{Name: "mail/", Typeflag: tar.TypeDir, Mode: 0o2775, Gid: 8}},
			Regular("mail/of-root", "x"), Dir("mail/sub/"), Regular("mail/implied/x", "x"),
			Symlink("absolute", "/etc/passwd"), Symlink("up", "../../../etc/passwd"),
			{Header: tar.Header{Name: "owned-link", Typeflag: tar.TypeSymlink, Linkname: "d", Uid: 5, Mode: 0o777}},
			{Header: tar.Header{Name: "fifo", Typeflag: tar.TypeFifo, Mode: 0o622}},
			Regular("empty", ""), Regular("late-parent/x", "x"),
			{Header: tar.Header{Name: "late-parent/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 3}},
			Regular("missing/parent/x", "x"), Regular("./dot/./slash", "x"),
		},
		"links": {
			root, Dir("bin/"), Regular("bin/a", "same"), hardlink("bin/b", "bin/a"), hardlink("c", "./bin/b"),
			Symlink("s", "bin/a"), hardlink("s2", "s"), Dir("usr/"), Dir("usr/lib/"),
			Symlink("lib", "usr/lib"), Regular("lib/through", "x"), Dir("lib/dir/"),
		},
		"last-wins": {
			root, Regular("twice", "first"), file("twice", func(h *tar.Header) { h.Mode = 0o600 }),
			Dir("dir-to-file/"), Regular("dir-to-file/x", "x"), Regular("dir-to-file", "file"),
			Regular("file-to-dir", "x"), Dir("file-to-dir/"), Regular("file-to-dir/y", "y"),
			Symlink("link-to-file", "twice"), Regular("link-to-file", "own"),
			Dir("real/"), Symlink("link-to-dir", "real"), Dir("link-to-dir/"),
			Regular("link-to-dir/z", "z"),
			Dir("again/"),
			{Header: tar.Header{Name: "again/", Typeflag: tar.TypeDir, Mode: 0o711, Gid: 9}},
			Regular("h1", "1"), hardlink("h2", "h1"), Regular("h1", "other"),
		},
		"whiteouts": {
			root, Dir("d/"), WhiteoutOf("d/gone"), WhiteoutOf("top"), opaque("new"), Dir("new/"),
			Regular("new/file", "x"), WhiteoutOf("remade"), Dir("remade/"), Regular("remade/y", "y"),
			Dir("kept/"), WhiteoutOf("kept"), Regular("file", "x"), WhiteoutOf("file"),
			WhiteoutOf("file-after"), Regular("file-after", "x"), WhiteoutOf("implied"), Regular("implied/x", "x"),
			Regular(".wh..wh.aufs", ""), Dir(".wh..wh.plnk/"), Regular(".wh..wh.plnk/1.2", "x"),
			opaque("deep/er"), WhiteoutOf("odd/.wh"),
		},
		"sparse": {
			root, Regular("zeros", strings.Repeat("\x00", 1<<20)),
			Regular("hole", "a"+strings.Repeat("\x00", 300000)+"z"), Regular("tail", strings.Repeat("x", 5000)+strings.Repeat("\x00", 200000)),
			Regular("head", strings.Repeat("\x00", 200001)+"x"), Regular("small-zeros", "\x00\x00\x00"),
		},
		"devices": {
			root, Dir("dev/"),
			{Header: tar.Header{Name: "dev/console", Typeflag: tar.TypeChar, Devmajor: 5, Devminor: 1}},
			{Header: tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8}},
			hardlink("dev/console2", "dev/console"),
			Symlink("dev/stdin", "/proc/self/fd/0"),
			{Header: tar.Header{Name: "dev/net/tun", Typeflag: tar.TypeChar, Devmajor: 10, Devminor: 200}},
			{Header: tar.Header{Name: "var/named/chroot/dev/null", Mode: 0o666, Uid: 25, Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
			hardlink("var/named/chroot/dev/null2", "var/named/chroot/dev/null"),
			{Header: tar.Header{Name: "srv/mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1}},
			{Header: tar.Header{Name: "srv/sda", Typeflag: tar.TypeBlock, Devmajor: 8}},
			hardlink("srv/sdb", "srv/sda"), hardlink("srv/sdc", "srv/sdb"),
		},
		"absolute": {
			root, Dir("/abs/"), Regular("/abs/path", "x"), hardlink("//abs/link", "/abs/path"), Symlink("/abs/to", "/abs/path"), WhiteoutOf("/abs/gone"),
		},
	}
}
