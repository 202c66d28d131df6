package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
)

// playScript is what the process does that is killed.
func playScript(script, root, folder string) error {
	switch script {
	case "sound ":
		return wantSound(root)
	case "tear ":
		return tear(root)
	}
	s, err := Open(root, Options{Boot: "a boot"})
	if err != nil {
		return err
	}
	if err := beStepped(); err != nil {
		return err
	}
	ctx := context.Background()
	for _, word := range strings.Fields(script) {
		switch word {
		case "load": // the second takes the first one's name
			for _, name := range []string{"1.tar", "2.tar"} {
				if _, err := s.LoadPath(ctx, filepath.Join(folder, "..", name), LoadOptions{}); err != nil {
					return err
				}
			}
		case "import":
			if _, err := s.ImportFolder(ctx, folder); err != nil {
				return err
			}
		case "prune":
			if _, err := s.Prune(nil); err != nil {
				return err
			}
		case "remove":
			for _, img := range s.List() {
				if _, err := s.Remove(img.ID, nil); err != nil {
					return err
				}
			}
		case "repair":
			if err := s.Verify(ctx, VerifyOptions{Repair: true, Report: func(v Verified) { err = errors.Join(err, v.Err) }}); err != nil {
				return err
			}
		case "close":
			if err := s.CloseClean(); err != nil {
				return err
			}
		}
	}
	return err
}

// crashFiles makes what the scripts load.
func crashFiles(t *testing.T) (folder string) {
	t.Helper()
	dir := t.TempDir()
	folder = filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	// The time says "changed" to nobody, whenever it is looked at.
	writeFile(t, dir, "1.tar", ociArchive(t, hello("a", "one")))
	writeFile(t, dir, "2.tar", dockerArchive(t, hello("a", "two")))
	implied := hello("c", "three")
	implied.Layers[0].Files = append(implied.Layers[0].Files, imagetest.File{Header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}})
	implied.Layers[1].Files = append(implied.Layers[1].Files, imagetest.Regular("tmp/x", "makes a fix-up layer"))
	writeFile(t, folder, "3.tar", ociArchive(t, implied))
	return folder
}

// wantSound demands what must be so at any time: each image is whole or says that it is not, and nothing is left over.
func wantSound(root string) error {
	var warned []error
	s, err := Open(root, Options{Boot: "a boot", Warn: func(err error) { warned = append(warned, err) }})
	if err != nil {
		return err
	}
	if len(warned) > 0 {
		return errors.Join(warned...)
	}
	want := map[string]bool{}
	for _, img := range s.List() {
		for _, dir := range img.LayerDirs() {
			want["l/"+dir], want["d/"+dir] = true, true
		}
		want["i/"+strings.TrimPrefix(img.ID, "sha256:")+".json"] = true
	}
	for dir := range s.state.Load().torn {
		want["d/"+dir+tornSuffix] = true
	}
	for _, dir := range []string{"i", "l", "d", "tmp"} {
		entries, err := os.ReadDir(s.dir(dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !want[dir+"/"+e.Name()] {
				return fmt.Errorf("left behind: %s/%s", dir, e.Name())
			}
			delete(want, dir+"/"+e.Name())
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("missing: %v", want)
	}
	torn := s.state.Load().torn
	var bad error
	err = s.Verify(context.Background(), VerifyOptions{Report: func(v Verified) {
		if v.Err != nil || len(v.Differences) > 0 && len(torn) == 0 {
			bad = fmt.Errorf("layer %s of %v: %+v, %v", v.Layer, v.Images, v.Differences, v.Err)
		}
	}})
	return errors.Join(err, bad)
}

// disk is a file with ext4 on it.
type disk struct {
	t     *testing.T
	file  string
	mount string
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{t, filepath.Join(t.TempDir(), "disk"), filepath.Join(t.TempDir(), "mount")}
	if err := errors.Join(os.WriteFile(d.file, nil, 0o600), os.Truncate(d.file, 24<<20), os.Mkdir(d.mount, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", d.file).CombinedOutput(); err != nil {
		t.Skipf("no ext4: %v, %s", err, out)
	}
	return d
}

func (d *disk) mounted(file string, do func() error) error {
	if out, err := exec.Command("mount", "-o", "loop", file, d.mount).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot mount: %w, %s", err, out)
	}
	err := do()
	return errors.Join(err, unix.Unmount(d.mount, 0))
}

// copyDisk copies what the disk holds, and no cache of it. Holes stay.
func copyDisk(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); ; {
		data, err := in.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return out.Truncate(st.Size())
		}
		if err != nil {
			return err
		}
		if at, err = in.Seek(data, unix.SEEK_HOLE); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, data), io.NewSectionReader(in, data, at-data)); err != nil {
			return err
		}
	}
}

// stride is how many steps are left out between two that are tried; PODD_EVERY_STEP=1 leaves out none.
func stride(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("PODD_EVERY_STEP")); err == nil {
		return n
	}
	return 13
}

// At whatever step podd is killed, or power fails, the store opens again without a hand: each image is whole or gone, nothing
// is left over, and the work can be done again.
func TestCrashAtEveryStep(t *testing.T) {
	needRoot(t)
	folder := crashFiles(t)
	for name, script := range map[string][2]string{ // before, and what is interrupted
		"load":   {"", "load"},
		"import": {"load", "import"},
		"remove": {"load import", "prune remove"},
		"repair": {"import", "repair"},
		"close":  {"import", "close"},
	} {
		for _, how := range []string{"killed", "power"} {
			t.Run(name+" "+how, func(t *testing.T) {
				d := newDisk(t)
				inMountNamespace(t, func() error { return d.crashes(script[0], script[1], folder, how == "power") })
			})
		}
	}
}

func (d *disk) script(words, folder string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PODD_TEST_SCRIPT="+words+" ", "PODD_TEST_ROOT="+d.mount+"/store", "PODD_TEST_FOLDER="+folder)
	cmd.Stderr = os.Stderr
	return cmd
}

// sound asks a process of its own: threads of this one are in another mount namespace.
func (d *disk) sound() error {
	cmd := d.script("sound", "")
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return nil
}

func (d *disk) crashes(before, script, folder string, power bool) error {
	always := func() bool { return true }
	err := d.mounted(d.file, func() error {
		if before == "" {
			return nil
		}
		_, err := stepped(d.script(before, folder), always)
		if err == nil && script == "repair" {
			err = d.script("tear", folder).Run()
		}
		return err
	})
	if err != nil {
		return err
	}
	steps := 0
	for n := 1 + len(script)%stride(d.t); ; n += stride(d.t) {
		work, after := d.file+".work", d.file+".after"
		if err := copyDisk(d.file, work); err != nil {
			return err
		}
		ended, step := false, 0
		err := d.mounted(work, func() (err error) {
			ended, err = stepped(d.script(script, folder), func() bool {
				step++
				if step == n && power {
					d.t.Helper()
					if err := copyDisk(work, after); err != nil {
						d.t.Error(err)
					}
				}
				return step < n
			})
			if err == nil && !power {
				err = d.sound()
			}
			return err
		})
		if err == nil && power && !ended {
			err = d.mounted(after, func() error {
				if err := d.sound(); err != nil {
					return err
				}
				if _, err := stepped(d.script(script, folder), always); err != nil {
					return fmt.Errorf("once more: %w", err)
				}
				return d.sound()
			})
		}
		if err != nil {
			return fmt.Errorf("at step %d: %w", n, err)
		}
		if ended {
			break
		}
		steps++
	}
	d.t.Logf("%d of %d steps tried", steps, steps*stride(d.t))
	if steps == 0 && stride(d.t) == 1 {
		return errors.New("no step was tried")
	}
	return nil
}

// tear damages a file, in a way that was noticed.
func tear(root string) error {
	s, err := Open(root, Options{Boot: "a boot"})
	if err != nil {
		return err
	}
	for _, img := range s.List() {
		if err := os.WriteFile(filepath.Join(img.Layers[1], "etc/text"), nil, 0); err != nil {
			return err
		}
	}
	return s.Verify(context.Background(), VerifyOptions{})
}
