package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
)

// playScript is what the process does that is killed, and how others look at what is left.
func playScript(script, root, folder string) error {
	ctx := context.Background()
	var s *Store
	var err error
	for _, word := range strings.Fields(script) {
		word, rest, _ := strings.Cut(word, ":")
		if look := map[string]func(string) error{"sound": wantSound, "tear": tear, "trees": printTrees}[word]; look != nil {
			if err := look(root); err != nil {
				return err
			}
			continue
		}
		if s == nil {
			if s, err = openStepped(root); err != nil {
				return err
			}
		}
		switch word {
		case "pull", "slow", "fail", "half":
			if err := playPull(s, word, rest); err != nil {
				return err
			}
		case "open": // what podd does at its next start
			if s, err = Open(root, Options{Boot: "a boot"}); err != nil {
				return err
			}
		case "collect":
			if _, err := s.Collect(CollectOptions{All: true, Now: time.Now()}); err != nil {
				return err
			}
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

// openStepped opens the store, and asks from then on before each step if somebody wants to be asked.
func openStepped(root string) (*Store, error) {
	s, err := Open(root, Options{Boot: "a boot"})
	if err == nil && os.Getenv("PODD_TEST_STEPPED") != "" {
		err = beStepped()
	}
	return s, err
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
	kept, err := s.kept().readKept()
	if err != nil {
		return err
	}
	for _, l := range kept {
		want["l/"+l.Dir], want["d/"+l.Dir] = true, true
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

// disk is a file with a file system on it.
type disk struct {
	t     *testing.T
	kind  string
	file  string
	mount string
	reg   *crashReg
}

// fileSystems are those that a store may be on, but for tmpfs: how large the smallest disk is, and how one is made.
var fileSystems = map[string]struct {
	size int64
	mkfs []string
}{
	"ext4":  {24 << 20, []string{"-q", "-F", "-E", "lazy_itable_init=0"}},
	"xfs":   {320 << 20, []string{"-q", "-f"}},
	"btrfs": {128 << 20, []string{"-q", "-f"}},
	"f2fs":  {64 << 20, []string{"-q", "-f"}},
}

func newDisk(t *testing.T, kind string) *disk {
	t.Helper()
	// In memory: what is asked to be durable costs no time, and the file system on it loses its power all the same.
	dir, err := os.MkdirTemp("/dev/shm", "podd-images-")
	if err != nil {
		dir = t.TempDir()
	} else {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	d := &disk{t: t, kind: kind, file: filepath.Join(dir, "disk"), mount: filepath.Join(t.TempDir(), "mount")}
	if err := errors.Join(os.WriteFile(d.file, nil, 0o600), os.Truncate(d.file, fileSystems[kind].size), os.Mkdir(d.mount, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs."+kind, append(fileSystems[kind].mkfs, d.file)...).CombinedOutput(); err != nil {
		t.Skipf("no %s: %v, %s", kind, err, out)
	}
	if known, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(known), "\t"+kind+"\n") && exec.Command("modprobe", kind).Run() != nil {
		t.Skipf("the kernel has no %s", kind)
	}
	return d
}

// powerFails makes a mounted file system forget all that is not on the disk, as the loss of power does. journal: what it has
// noted of its own structure gets there before, without the content of files.
func (d *disk) powerFails(journal bool) error {
	f, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer f.Close()
	const shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN, which xfs and f2fs have as well
	flag := uint32(2)
	if journal {
		flag = 1
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return errno
	}
	return nil
}

func (d *disk) mounted(file string, do func() error) error {
	if out, err := exec.Command("mount", "-o", "loop", file, d.mount).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot mount: %w, %s", err, out)
	}
	err := do()
	// A process that another test has just started has copies of this one's files until it has begun.
	busy := unix.Unmount(d.mount, 0)
	for deadline := time.Now().Add(time.Minute); errors.Is(busy, unix.EBUSY) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		busy = unix.Unmount(d.mount, 0)
	}
	return errors.Join(err, busy)
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

// stride is from one step that is tried to the next, from a random one on; PODD_EVERY_STEP=1 tries each.
func stride(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("PODD_EVERY_STEP")); err == nil {
		return n
	}
	return 23
}

// At whatever step podd is killed, or power fails, the store opens again without a hand: each image is whole or gone, nothing
// is left over, and the work can be done again.
func TestCrashAtEveryStep(t *testing.T) {
	needRoot(t)
	folder := crashFiles(t)
	reg := crashRegistry(t)
	other := []string{"xfs", "btrfs", "f2fs"}[rand.IntN(3)]
	for name, script := range map[string][2]string{ // before, and what is interrupted
		"load":          {"", "load"},
		"import":        {"load", "import"},
		"remove":        {"load import", "prune remove"},
		"repair":        {"import", "repair"},
		"close":         {"import", "close"},
		"pull":          {"", "pull:app:v1"},
		"pull, shared":  {"pull:app:v1", "pull:app:v2"},
		"pull, failed":  {"", "fail:app:bad pull:app:v1"},
		"pull, spooled": {"", "slow:app:big"},
		"pull by file":  {"pull:app:d1", "pull:app:d2"},
		"start":         {"half:app:big", "open slow:app:big"},
		"collect":       {"pull:app:v1 pull:app:v2 pull:app:d1", "collect"},
	} {
		kinds := []string{"ext4"}
		if name == "pull" || name == "remove" {
			kinds = []string{"ext4", "xfs", "btrfs", "f2fs"}
		}
		for _, kind := range kinds {
			if os.Getenv("PODD_EVERY_STEP") == "" && kind != "ext4" && kind != other {
				continue
			}
			for _, how := range []string{"killed", "power"} {
				t.Run(name+" "+kind+" "+how, func(t *testing.T) {
					t.Parallel() // much of it is waiting for disks to be mounted and unmounted
					d := newDisk(t, kind)
					if d.reg = reg; strings.Contains(script[1], "slow:") { // what it serves is counted
						d.reg = crashRegistry(t)
					}
					inMountNamespace(t, func() error { return d.crashes(script[0], script[1], folder, how == "power") })
				})
			}
		}
	}
}

func (d *disk) script(words, folder string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PODD_TEST_SCRIPT="+words, "PODD_TEST_ROOT="+d.mount+"/store", "PODD_TEST_FOLDER="+folder, "PODD_TEST_REGISTRY="+d.reg.host)
	cmd.Stderr = os.Stderr
	return cmd
}

// look has a script played by a process of its own (threads of this one are in another mount namespace), and gives what it
// says.
func (d *disk) look(words, folder string) (string, error) {
	cmd := d.script(words, folder)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

func (d *disk) crashes(before, script, folder string, power bool) error {
	err := d.mounted(d.file, func() error {
		if script == "repair" {
			before += " tear"
		}
		_, err := d.look(before+" ", folder)
		return err
	})
	if err != nil {
		return err
	}
	work := d.file + ".work"
	want, err := d.undisturbed(work, script, folder)
	if err != nil {
		return err
	}
	steps := 0
	for n := 1 + rand.IntN(stride(d.t)); ; n += stride(d.t) {
		if err := copyDisk(d.file, work); err != nil {
			return err
		}
		ended, step, failed := false, 0, error(nil)
		err := d.mounted(work, func() (err error) {
			ended, err = stepped(d.script(script, folder), func() bool {
				step++
				if step == n && power {
					failed = d.powerFails(rand.IntN(2) == 0)
				}
				return step < n
			})
			if err == nil && !power && !ended {
				err = d.goesOn(script, folder, want, false)
			}
			return err
		})
		if errors.Is(failed, unix.ENOTTY) || errors.Is(failed, unix.EOPNOTSUPP) {
			d.t.Logf("%s cannot lose its power", d.kind)
			return nil
		}
		if err = errors.Join(err, failed); err == nil && power && !ended {
			err = d.mounted(work, func() error { return d.goesOn(script, folder, want, true) })
		}
		if err != nil {
			return fmt.Errorf("at step %d: %w", n, err)
		}
		if ended {
			break
		}
		steps++
	}
	d.t.Logf("%d steps tried, each %dth", steps, stride(d.t))
	if steps == 0 && stride(d.t) == 1 {
		return errors.New("no step was tried")
	}
	return nil
}

// undisturbed plays a script to its end, and says what the trees of all images are then.
func (d *disk) undisturbed(work, script, folder string) (trees string, err error) {
	if err := copyDisk(d.file, work); err != nil {
		return "", err
	}
	err = d.mounted(work, func() error {
		trees, err = d.look(script+" trees", folder)
		return err
	})
	return trees, err
}

// goesOn wants the store to be sound after a crash, and the work to be done when it is tried once more.
func (d *disk) goesOn(script, folder, want string, power bool) error {
	if _, err := d.look("sound", ""); err != nil {
		return err
	}
	have, before := d.reg.kept(filepath.Join(d.mount, "store"), !power), d.reg.Served()
	got, err := d.look(script+" sound trees", folder)
	if err != nil {
		return fmt.Errorf("once more: %w", err)
	}
	if came := d.reg.Served() - before; strings.HasPrefix(script, "slow:") && came > max(d.reg.size["big"]-have, 0)+d.reg.size["config"] {
		return fmt.Errorf("of %d bytes %d were kept, and %d came again", d.reg.size["big"], have, came)
	}
	for _, dir := range []string{"spool", "p"} {
		if left, _ := os.ReadDir(filepath.Join(d.mount, "store", dir)); len(left) > 0 {
			return fmt.Errorf("left behind: %s/%s", dir, left[0].Name())
		}
	}
	if got != want {
		return fmt.Errorf("the images are not what they are without a crash: %s", firstDifference(got, want))
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
