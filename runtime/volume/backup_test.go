package volume

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree describes all below dir, a line a name: mode, owner, time, what is in it.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	inodes := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%s %o %d:%d", name, st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %q", st.Mtim.Sec, data)
			if first, ok := inodes[st.Ino]; ok && st.Nlink > 1 {
				line += " = " + first
			} else {
				inodes[st.Ino] = name
			}
			value := make([]byte, 64)
			if n, err := unix.Lgetxattr(path, "trusted.podd", value); err == nil {
				line += fmt.Sprintf(" xattr %q", value[:n])
			}
		case unix.S_IFDIR:
			line += fmt.Sprintf(" %d", st.Mtim.Sec)
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		case unix.S_IFCHR, unix.S_IFBLK:
			line += fmt.Sprintf(" %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		lines = append(lines, line)
		return nil
	}))
	return strings.Join(lines, "\n")
}

// A claim comes back as it was: all kinds of files, owners, modes, times, attributes, names of one file.
func TestBackupAndRestore(t *testing.T) {
	needRoot(t)
	dir, back := t.TempDir(), filepath.Join(t.TempDir(), "back")
	in := func(name string) string { return filepath.Join(dir, name) }
	old := time.Unix(1_000_000_000, 0)
	must(t, os.MkdirAll(in("deep/er/est"), 0o755), os.WriteFile(in("deep/er/file"), []byte("text"), 0o640), os.WriteFile(in("empty"), nil, 0o400),
		os.WriteFile(in("setuid"), []byte("x"), 0o755), os.Chown(in("setuid"), 7, 8), os.Chmod(in("setuid"), 0o755|fs.ModeSetuid|fs.ModeSetgid),
		os.Mkdir(in("sticky"), 0o755), os.Chmod(in("sticky"), 0o777|fs.ModeSticky), os.Chown(in("deep"), 9, 10),
		os.Link(in("deep/er/file"), in("other name")), os.Symlink("/etc/passwd", in("absolute")), os.Symlink("../../up", in("dangling")),
		unix.Mkfifo(in("pipe"), 0o620), os.WriteFile(in("名前"), []byte("名"), 0o600), os.WriteFile(in(strings.Repeat("n", 200)), nil, 0o600),
		unix.Lchown(in("dangling"), 3, 4), os.Chmod(dir, 0o2775&0o777|fs.ModeSetgid))
	if err := unix.Mknod(in("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Logf("no devices here: %v", err)
	}
	if err := unix.Setxattr(in("empty"), "trusted.podd", []byte("a\x00value"), 0); err != nil {
		t.Logf("no attributes here: %v", err)
	}
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err, unix.Bind(listener, &unix.SockaddrUnix{Name: in("socket")}), unix.Close(listener))
	for _, name := range []string{"deep/er/file", "empty", "deep/er/est", "deep/er", "deep", "sticky", "."} {
		must(t, os.Chtimes(in(name), old, old))
	}
	var archive bytes.Buffer
	must(t, Backup(dir, &archive), Restore(back, &archive, 0))
	must(t, os.Remove(in("socket"))) // a socket without its server is nothing, and is not in an archive
	must(t, os.Chtimes(dir, old, old))
	if want, got := tree(t, dir), tree(t, back); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A hole costs nothing after it has come back either.
func TestBackupOfSparseFile(t *testing.T) {
	dir, back := t.TempDir(), filepath.Join(t.TempDir(), "back")
	f, err := os.Create(filepath.Join(dir, "sparse"))
	must(t, err, f.Truncate(16<<20))
	_, err = f.WriteAt([]byte("middle"), 8<<20)
	must(t, err, f.Close())
	var archive bytes.Buffer
	must(t, Backup(dir, &archive), Restore(back, &archive, 0))
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(back, "sparse"), &st))
	if used := st.Blocks * 512; st.Size != 16<<20 || used > 1<<20 {
		t.Errorf("of %d bytes %d are used", st.Size, used)
	}
	data, err := os.ReadFile(filepath.Join(back, "sparse"))
	if err != nil || string(data[8<<20:8<<20+6]) != "middle" {
		t.Errorf("the middle is gone: %v", err)
	}
}

func TestBackupOfWhatIsNotThere(t *testing.T) {
	if err := Backup(filepath.Join(t.TempDir(), "none"), io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// failing writes so many bytes and no more.
type failing int

var errFull = errors.New("the stick is full")

func (f *failing) Write(p []byte) (int, error) {
	if *f -= failing(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A backup that could not be written whole says so, wherever it stopped.
func TestBackupToAFullStick(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 3000), 0o600))
	}
	var whole bytes.Buffer
	must(t, Backup(dir, &whole))
	for room := failing(0); int(room) < whole.Len(); room += 511 {
		left := room
		if err := Backup(dir, &left); !errors.Is(err, errFull) {
			t.Fatalf("with room for %d of %d bytes: %v", room, whole.Len(), err)
		}
	}
}

// entry is one of a tar, made by hand.
type entry struct {
	tar.Header
	data string
}

func archiveOf(t *testing.T, entries ...entry) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.data))
		if e.Mode == 0 {
			e.Mode = 0o644
		}
		must(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.data)
		must(t, err)
	}
	must(t, w.Close())
	return &b
}

func file(name, data string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg}, data}
}

func link(kind byte, name, target string) entry {
	return entry{tar.Header{Name: name, Typeflag: kind, Linkname: target}, ""}
}

func folderEntry(name string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, ""}
}

// An archive is from a stranger. What would leave the folder is refused, and nothing of it stays.
func TestRestoreOfHostileArchives(t *testing.T) {
	needRoot(t)
	up := t.TempDir()
	victim := filepath.Join(up, "victim")
	dir := filepath.Join(up, "claim")
	for name, entries := range map[string][]entry{
		"a name above":                {file("../victim", "x")},
		"a name far above":            {file("a/../../../../../../../../../../etc/victim", "x")},
		"through a link above":        {link(tar.TypeSymlink, "a", ".."), file("a/victim", "x")},
		"through an absolute link":    {link(tar.TypeSymlink, "a", up), file("a/victim", "x")},
		"a folder through a link":     {link(tar.TypeSymlink, "a", up), folderEntry("a/victim/sub")},
		"onto a link":                 {link(tar.TypeSymlink, "a", victim), file("a", "x")},
		"a name of a file above":      {link(tar.TypeLink, "a", "../victim")},
		"a name of an absolute one":   {link(tar.TypeLink, "a", victim)},
		"through two links":           {link(tar.TypeSymlink, "a", "b"), link(tar.TypeSymlink, "b", ".."), file("a/victim", "x")},
		"a device through a link":     {link(tar.TypeSymlink, "a", up), {tar.Header{Name: "a/dev", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""}},
		"a pipe above":                {{tar.Header{Name: "../pipe", Typeflag: tar.TypeFifo}, ""}},
		"a file in a file":            {file("a", "x"), file("a/b", "y")},
		"a file twice":                {file("a", "x"), file("a", "y")},
		"a folder on a file":          {file("a", "x"), folderEntry("a")},
		"an entry of an unknown type": {{tar.Header{Name: "a", Typeflag: 'Z'}, ""}},
		"a link on a file":            {file("a", "x"), link(tar.TypeSymlink, "a", "b")},
		"a name of what is not there": {link(tar.TypeLink, "a", "none")},
	} {
		must(t, os.WriteFile(victim, []byte("whole"), 0o600))
		err := Restore(dir, archiveOf(t, append([]entry{file("first", "1")}, entries...)...), 0)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot restore: ") {
			t.Errorf("%s: %v", name, err)
		}
		isGone(t, dir)
		list, _ := os.ReadDir(up)
		if data, err := os.ReadFile(victim); err != nil || string(data) != "whole" || len(list) != 1 {
			t.Errorf("%s: the file outside is %q, %v, beside %v", name, data, err, list)
		}
	}
}

// What other tars write differently means the same.
func TestRestoreOfOtherTars(t *testing.T) {
	needRoot(t)
	for name, tc := range map[string]struct {
		entries []entry
		want    []string
	}{
		"nothing":                   {nil, []string{"."}},
		"names with a dot":          {[]entry{folderEntry("./"), file("./a", "1"), folderEntry("./b/"), file("./b/c", "2")}, []string{".", "a", "b", "b/c"}},
		"a leading slash":           {[]entry{file("/a", "1")}, nil},
		"no entries of folders":     {[]entry{file("x/y/z", "1")}, []string{".", "x", "x/y", "x/y/z"}},
		"a folder after its file":   {[]entry{file("x/y", "1"), folderEntry("x")}, []string{".", "x", "x/y"}},
		"a folder twice":            {[]entry{folderEntry("x"), folderEntry("x")}, []string{".", "x"}},
		"a link to above, unused":   {[]entry{link(tar.TypeSymlink, "l", "../../etc")}, []string{".", "l"}},
		"names with dots within":    {[]entry{folderEntry("x"), file("x/../y", "1")}, []string{".", "x", "y"}},
		"a second name, with a dot": {[]entry{file("a", "1"), link(tar.TypeLink, "./b", "./a")}, []string{".", "a", "b"}},
	} {
		dir := filepath.Join(t.TempDir(), "claim")
		err := Restore(dir, archiveOf(t, tc.entries...), 0)
		if tc.want == nil {
			if err == nil {
				t.Errorf("%s: it was restored", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dir, path)
			got = append(got, rel)
			return err
		}))
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// An archive that stops early, or that is none, leaves nothing.
func TestRestoreOfATornArchive(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "data"), bytes.Repeat([]byte("x"), 5000), 0o600), os.Mkdir(filepath.Join(dir, "sub"), 0o755),
		os.WriteFile(filepath.Join(dir, "sub/more"), bytes.Repeat([]byte("y"), 5000), 0o600))
	var whole bytes.Buffer
	must(t, Backup(dir, &whole))
	back := filepath.Join(t.TempDir(), "back")
	// Both blocks of zeros may have been cut off; of the first it takes all.
	last := whole.Len() - 1024
	for cut := range last/128 + 1 {
		if err := Restore(back, bytes.NewReader(whole.Bytes()[:cut*128]), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", cut*128, whole.Len(), err)
		}
		isGone(t, back)
	}
	if err := Restore(back, strings.NewReader(strings.Repeat("this is no archive", 100)), 0); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("what is no archive: %v", err)
	}
	isGone(t, back)
	broken := io.MultiReader(bytes.NewReader(whole.Bytes()[:600]), &torn{})
	if err := Restore(back, broken, 0); !errors.Is(err, errTorn) {
		t.Errorf("a cable that is pulled: %v", err)
	}
	isGone(t, back)
}

type torn struct{}

var errTorn = errors.New("the connection is gone")

func (*torn) Read([]byte) (int, error) { return 0, errTorn }

// What is there is somebody's data.
func TestRestoreOntoWhatIsThere(t *testing.T) {
	up := t.TempDir()
	dir, target := filepath.Join(up, "claim"), filepath.Join(up, "elsewhere")
	must(t, os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "data"), nil, 0o600), os.Mkdir(target, 0o755))
	if err := Restore(dir, archiveOf(t, file("new", "1")), 0); !errors.Is(err, os.ErrExist) {
		t.Errorf("error %v", err)
	}
	isThere(t, filepath.Join(dir, "data"))
	must(t, os.RemoveAll(dir), os.Symlink(target, dir))
	if err := Restore(dir, archiveOf(t, file("new", "1")), 0); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a link: %v", err)
	}
	if list, _ := os.ReadDir(target); len(list) != 0 {
		t.Errorf("the link was followed: %v", list)
	}
}
