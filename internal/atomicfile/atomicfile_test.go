package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func write0(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// obstacles are what may stand in the place of a file.
var obstacles = map[string]func(path string) error{
	"link":          func(p string) error { return os.Symlink(p+".target", p) },
	"dangling link": func(p string) error { return os.Symlink("/nowhere/at/all", p) },
	"link to zeros": func(p string) error { return os.Symlink("/dev/zero", p) },
	"FIFO":          func(p string) error { return unix.Mkfifo(p, 0o600) },
	"folder": func(p string) error {
		return errors.Join(os.Mkdir(p, 0o700), os.WriteFile(filepath.Join(p, "inside"), []byte("x"), 0o600))
	},
	"socket": func(p string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrUnix{Name: p})
	},
	"device": func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }, // /dev/zero
}

func TestWhatIsNoFileIsSetAside(t *testing.T) {
	for name, put := range obstacles {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.json")
			write0(t, path+".target", `{"a":1}`)
			if err := put(path); errors.Is(err, unix.EPERM) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path, Limit); !errors.Is(err, ErrNotRegular) && !errors.Is(err, unix.EISDIR) {
				t.Errorf("Read: %v", err)
			}
			into := map[string]int{}
			var damage *Damage
			if err := LoadJSON(path, &into, nil); !errors.As(err, &damage) {
				t.Fatalf("Load: %v", err)
			}
			if _, err := os.Lstat(damage.Aside); err != nil || len(into) != 0 {
				t.Errorf("it is not aside: %v; read: %v", err, into)
			}
			if err := LoadJSON(path, &into, nil); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after that: %v", err)
			}
			if data, err := os.ReadFile(path + ".target"); err != nil || string(data) != `{"a":1}` {
				t.Errorf("the link's target has become %q, %v", data, err)
			}
		})
	}
}

// A write replaces what stands in the place of the file, and of the file that it writes first, and touches nothing else.
func TestWriteReplacesWhateverIsThere(t *testing.T) {
	for name, put := range obstacles {
		for _, temp := range []bool{false, true} {
			for how, write := range map[string]func(string, []byte, fs.FileMode) error{"Write": Write, "WriteSync": WriteSync} {
				t.Run(fmt.Sprint(name, temp, how), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "state.json")
					at := path
					if temp {
						at = tempName(path)
					}
					write0(t, at+".target", "theirs")
					if err := put(at); errors.Is(err, unix.EPERM) {
						t.Skip(err)
					} else if err != nil {
						t.Fatal(err)
					}
					if err := write(path, []byte("ours"), 0o640); err != nil {
						t.Fatal(err)
					}
					info, err := os.Lstat(path)
					if err != nil || info.Mode() != 0o640 {
						t.Errorf("mode %v, %v", info.Mode(), err)
					}
					if data, _ := os.ReadFile(path); string(data) != "ours" {
						t.Errorf("content %q", data)
					}
					if data, _ := os.ReadFile(at + ".target"); string(data) != "theirs" {
						t.Errorf("the link's target has become %q", data)
					}
					if _, err := os.Lstat(tempName(path)); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("what was written first is left: %v", err)
					}
				})
			}
		}
	}
}

func TestLoadBelievesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for name, text := range map[string]string{
		"empty": "", "half": `{"a":`, "zeros": strings.Repeat("\x00", 100), "null": " null\n", "another type": `[1]`, "a huge number": `{"a":1e999}`,
		"refused": `{"b":1}`, "more": `{"a":1}{"a":2}`,
	} {
		write0(t, path, text)
		into := map[string]int{}
		var damage *Damage
		err := LoadJSON(path, &into, func() error {
			if into["a"] == 0 {
				return errors.New("it names no a")
			}
			return nil
		})
		if !errors.As(err, &damage) || damage.Aside == "" {
			t.Errorf("%s: %v", name, err)
		} else if data, _ := os.ReadFile(damage.Aside); string(data) != text {
			t.Errorf("%s: %q is aside", name, data)
		}
		if !strings.Contains(err.Error(), path+" is damaged: ") || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: the sentence is %q", name, err)
		}
	}
}

// The number of damaged files does not grow: a card that fails would otherwise fill itself.
func TestFewDamagedFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write0(t, path+asideInfix+"notes", "not ours")
	write0(t, path+"2"+asideInfix+"1", "another's")
	for i := range 10 {
		write0(t, path, fmt.Sprint(i))
		if err := SetAside(path, ErrEmpty); errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != maxAside+2 {
		t.Errorf("%v, %v", entries, err)
	}
	if data, _ := os.ReadFile(path + asideInfix + "10"); string(data) != "9" {
		t.Errorf("the newest is %q", data)
	}
	for name, want := range map[string]string{"f.damaged-1": "f", "f": "", "f.damaged-": "", "f.damaged-x": "", "a.damaged-1.damaged-12": "a.damaged-1"} {
		if of, ok := IsAside(name); of != want || ok != (want != "") {
			t.Errorf("IsAside(%q) = %q, %v", name, of, ok)
		}
	}
}

func TestReadEndsAtItsLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write0(t, path, "12345678")
	if data, err := Read(path, 8); err != nil || string(data) != "12345678" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := Read(path, 7); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, Limit); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if data, err := Read("/proc/self/status", Limit); err != nil || !bytes.HasPrefix(data, []byte("Name:")) {
		t.Errorf("a file of procfs: %q, %v", data, err)
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "k")
	if err := Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "one" {
		t.Errorf("%q", data)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestEnsureDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	var reported []string
	report := Report(func(d *Damage, lost string) { reported = append(reported, filepath.Base(d.Aside)+" "+lost) })
	for name, put := range obstacles {
		reported = nil
		if err := put(dir); errors.Is(err, unix.EPERM) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := EnsureDir(dir, 0o700, report, "much"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if want := name != "folder"; want != (len(reported) == 1 && strings.HasSuffix(reported[0], " much")) {
			t.Errorf("%s: reported %q", name, reported)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	real := t.TempDir()
	if err := errors.Join(os.Symlink(real, dir), EnsureDir(dir, 0o700, report, "")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(dir); err != nil || to != real {
		t.Errorf("the link to another disk: %q, %v", to, err)
	}
	if err := EnsureDir(dir+"/a/b", 0o700, nil, ""); err != nil {
		t.Error(err)
	}
}

// A folder of state never shows a file that is being written, and what a crash has left of one goes at the next start.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "claims.json")
	if name := filepath.Base(tempName(path)); !strings.HasPrefix(name, ".") || filepath.Dir(tempName(path)) != dir {
		t.Errorf("a file is written as %s, which everybody lists", tempName(path))
	}
	for _, kept := range []string{path, path + ".damaged-1", filepath.Join(dir, "notes.tmp"), filepath.Join(dir, ".hidden")} {
		write0(t, kept, "whole")
	}
	write0(t, tempName(path), "ha")
	if err := os.Mkdir(tempName(filepath.Join(dir, "cordon.json")), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := Sweep(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}
