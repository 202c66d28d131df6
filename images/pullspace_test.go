package images

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/archive"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
)

// noise does not compress.
func noise(n int, seed uint64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// An image that does not fit is pulled again after room was made; if that does not help, the sentence says how much is missing,
// and nothing of it is left.
func TestPullMakesRoom(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	reg := registrytest.New()
	reg.Add(t, "app", "v1", imagetest.Image{Compress: "gzip", Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Regular("noise", string(noise(1200<<10, 1)))}},
	}})
	// It is small, and becomes large.
	reg.Add(t, "blown", "v1", imagetest.Image{Compress: "gzip", Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Regular("much", strings.Repeat("much ", 600000))}},
	}})
	host := reg.Start(t)
	root := smallDisk(t, "2m")
	asked, need := 0, int64(0)
	s := must(t, func() (*Store, error) {
		return Open(root+"/store", Options{MakeRoom: func(r Room) bool { asked++; need = r.Bytes; return os.Remove(root+"/ballast") == nil }})
	})
	if err := os.WriteFile(root+"/ballast", make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pullFrom(s, impatient(), host, "app:v1"); err != nil || asked != 1 || need < 3*1200<<10 {
		t.Errorf("asked %d times, for %d bytes: %v", asked, need, err)
	}
	for _, name := range []string{"app:v1", "blown:v1"} {
		var room Room
		s := must(t, func() (*Store, error) {
			return Open(smallDisk(t, "1m"), Options{MakeRoom: func(r Room) bool { room = r; return false }})
		})
		free := freeOf(s.root)[0]
		_, err := pullFrom(s, impatient(), host, name)
		if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "at least ") || !strings.Contains(err.Error(), "more are needed") {
			t.Errorf("%s: %v", name, err)
		}
		if room.Bytes <= free || room.Inodes { // as much as was free was not enough
			t.Errorf("%s asks for %+v where %d bytes were free", name, room, free)
		}
		if left := leftovers(t, s, "tmp", "l", "d", "i"); len(left) > 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
}

// A file system may have room and yet no inode: it is these that are asked for and spoken of, by pulls and for archives, and
// what was unpacked is gone.
func TestNoInodeIsFree(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	var files []imagetest.File
	for i := range 300 {
		files = append(files, imagetest.Regular(fmt.Sprint("file", i), ""))
	}
	img := imagetest.Image{Names: []string{"app:v1"}, Layers: []imagetest.Layer{{Files: files}}}
	reg := registrytest.New()
	reg.Add(t, "app", "v1", img)
	host := reg.Start(t)
	archive := writeFile(t, t.TempDir(), "app.tar", ociArchive(t, img))
	for name, bring := range map[string]func(s *Store) error{
		"pull": func(s *Store) error { _, err := pullFrom(s, impatient(), host, "app:v1"); return err },
		"load": func(s *Store) error { _, err := s.LoadPath(t.Context(), archive, LoadOptions{}); return err },
	} {
		for _, helps := range []bool{true, false} {
			root := smallDisk(t, "20m,nr_inodes=400")
			var room Room
			s := must(t, func() (*Store, error) {
				return Open(root+"/store", Options{MakeRoom: func(r Room) bool { room = r; return helps && os.RemoveAll(root+"/ballast") == nil }})
			})
			for i := range 200 {
				if err := errors.Join(os.MkdirAll(root+"/ballast", 0o700), os.WriteFile(fmt.Sprint(root, "/ballast/", i), nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			err := bring(s)
			if !room.Inodes || helps != (err == nil) {
				t.Errorf("%s, room was made: %t: %+v, %v", name, helps, room, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "no inode free") || strings.Contains(err.Error(), "more are needed") || !strings.Contains(err.Error(), "free some space")) {
				t.Errorf("%s says: %v", name, err)
			}
			if left := leftovers(t, s, "tmp", "l", "d", "i"); err != nil && len(left) > 0 {
				t.Errorf("%s leaves %v", name, left)
			}
		}
	}
}

// ownMounts runs the rest of a test in another process with a mount namespace of its own: a pull has goroutines on several threads.
func ownMounts(t *testing.T) (here bool) {
	t.Helper()
	needRoot(t)
	if os.Getenv("IMAGES_OWN_MOUNTS") == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), "IMAGES_OWN_MOUNTS="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// However many layers come at once, and whatever windows they ask for, a pull takes at most 64 MiB of memory.
func TestPullIsBoundedInMemory(t *testing.T) {
	needRoot(t)
	if testing.Short() {
		t.Skip("moves half a gigabyte")
	}
	img := imagetest.Image{Compress: "zstd"}
	for i := range 8 {
		// What repeats after 7 MiB needs a window as large, and packs quickly.
		block := noise(7<<20, uint64(i))
		img.Layers = append(img.Layers, imagetest.Layer{Files: []imagetest.File{imagetest.Regular("file", strings.Repeat(string(block), 4))}})
	}
	reg := registrytest.New()
	reg.Add(t, "app", "v1", img)
	img = imagetest.Image{}
	host := reg.Start(t)
	s := openStore(t, Options{})
	client := impatient()
	client.Spool = t.TempDir()
	ref, err := registry.ParseReference(host + "/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	remote, err := client.Open(t.Context(), ref, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	peak := newPeak(t, 64<<20)
	_, err = s.Pull(t.Context(), remote, archive.Descriptor{MediaType: remote.MediaType, Digest: remote.Digest, Size: int64(len(remote.Manifest))}, PullOptions{
		Name: ref.String(), Parallel: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	peak.check(t)
}

// peak is how much memory was in use at most, looked at all the time.
type peak struct {
	before, allowed, most uint64
	end, ended            chan struct{}
}

func newPeak(t *testing.T, allowed uint64) *peak {
	t.Helper()
	debug.FreeOSMemory()
	p := &peak{before: inUse(), allowed: allowed, end: make(chan struct{}), ended: make(chan struct{})}
	was := debug.SetMemoryLimit(int64(p.before + allowed)) // as the daemon has a limit
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	go func() {
		defer close(p.ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.end:
				return
			case <-tick.C:
				p.most = max(p.most, inUse())
			}
		}
	}()
	return p
}

func (p *peak) check(t *testing.T) {
	t.Helper()
	close(p.end)
	<-p.ended
	if p.most < p.before+4<<20 {
		t.Errorf("nothing was measured: %d of %d", p.most, p.before)
	}
	t.Logf("%.1f MiB more", float64(p.most-p.before)/(1<<20))
	if p.most > p.before+p.allowed {
		t.Errorf("%d MiB more are in use", (p.most-p.before)>>20)
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
