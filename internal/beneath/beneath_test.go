package beneath

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// obstacles are what a container may put in the place of a file.
var obstacles = map[string]func(path string) error{
	"link":          func(p string) error { return os.Symlink("/etc/passwd", p) },
	"link inside":   func(p string) error { return os.Symlink("file", p) },
	"dangling link": func(p string) error { return os.Symlink(p+".made", p) },
	"FIFO":          func(p string) error { return unix.Mkfifo(p, 0o600) },
	"folder":        func(p string) error { return os.Mkdir(p, 0o700) },
	"device":        func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
	"socket": func(p string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrUnix{Name: p})
	},
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for name, put := range obstacles {
		for how, flags := range map[string]int{"reading": os.O_RDONLY, "writing": os.O_RDWR | os.O_CREATE, "truncating": os.O_WRONLY | os.O_CREATE | os.O_TRUNC} {
			t.Run(name+" for "+how, func(t *testing.T) {
				dir := t.TempDir()
				file := filepath.Join(dir, "file")
				if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := put(filepath.Join(dir, "x")); errors.Is(err, unix.EPERM) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				root, err := Folder(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer root.Close()
				f, err := OpenFile(root, "x", flags, 0o600)
				if err == nil {
					f.Close()
				}
				if !errors.Is(err, ErrNotRegular) {
					t.Errorf("opened: %v", err)
				}
				if data, err := os.ReadFile(file); string(data) != "text" || err != nil {
					t.Errorf("the file has %q, %v", data, err)
				}
				if _, err := os.Lstat(filepath.Join(dir, "x.made")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file was made through the link: %v", err)
				}
			})
		}
	}
}

func TestOpenFile(t *testing.T) {
	root, err := MakeFolder(t.TempDir(), 0o700, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := Open(root, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	for _, text := range []string{"one", "two"} { // made, and opened
		f, err := OpenFile(root, "x", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFile(root, "x", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640); !errors.Is(err, fs.ErrExist) {
		t.Errorf("O_EXCL: %v", err)
	}
	f, err := Open(root, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); string(data) != "two" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../b/x", "/etc/passwd"} {
		if _, err := Open(root, name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
	if names, err := List(root); err != nil || len(names) != 1 || names[0] != "x" {
		t.Errorf("%v, %v", names, err)
	}
}

func TestFoldersAreNoLinks(t *testing.T) {
	real := t.TempDir()
	outside := t.TempDir()
	root := filepath.Join(t.TempDir(), "root")
	if err := errors.Join(os.Symlink(real, root), os.Mkdir(filepath.Join(real, "own"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "in": "own", "fd": "/proc/self/fd"} {
		if err := os.Symlink(target, filepath.Join(real, name)); err != nil {
			t.Fatal(err)
		}
		for _, path := range [][]string{{name}, {name, "x"}} {
			if _, err := Folder(root, path...); !errors.Is(err, ErrNotFolder) {
				t.Errorf("%v: %v", path, err)
			}
		}
	}
	if _, err := Folder(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Folder(root, "..", filepath.Base(outside)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("made outside: %v", entries)
	}
	for _, path := range [][]string{{"own", "sub"}, {"out", "sub"}, {"in", "sub"}, {"fd"}} {
		dir, err := MakeFolder(root, 0o700, path...)
		if err != nil {
			t.Fatal(err)
		}
		dir.Close()
		if info, err := os.Lstat(filepath.Join(append([]string{real}, path...)...)); err != nil || !info.IsDir() {
			t.Errorf("%v is no folder: %v", path, err)
		}
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("made outside: %v", entries)
	}
	file := filepath.Join(real, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeFolder(root, 0o700, "file", "x"); !errors.Is(err, ErrNotFolder) {
		t.Errorf("a file: %v", err)
	}
}
