package images

import (
	"archive/tar"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
)

// inMountNamespace runs fn on a thread that ends with it, in a mount namespace of its own.
func inMountNamespace(t *testing.T, fn func() error) {
	t.Helper()
	needRoot(t)
	done := make(chan error, 1)
	go func() {
		defer close(done)      // t.Fatal ends the goroutine, too
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the namespace with it
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// mountOverlay mounts an image read-only as podd does, with its layers' short paths.
func mountOverlay(t *testing.T, img Image) string {
	t.Helper()
	target := filepath.Join(t.TempDir(), "merged")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	lower := slices.Clone(img.Layers)
	slices.Reverse(lower)
	if len(lower) == 1 {
		lower = append(lower, t.TempDir()) // a read-only overlay wants two
	}
	if err := unix.Mount("overlay", target, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(lower, ":")); err != nil {
		t.Fatalf("mount of %v: %v", lower, err)
	}
	return target
}

func names(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(imagetest.DescribeTree(t, root)) {
		fields := strings.Fields(line)
		name := fields[3]
		if strings.HasPrefix(fields[0], "10") {
			name = fields[5]
		}
		out = append(out, name)
	}
	return out
}

func TestOverlayShowsWhatLayersSay(t *testing.T) {
	base := []imagetest.File{imagetest.Dir("./")}
	for _, d := range []string{"d/", "new/", "remade/", "kept/", "implied/", "deep/", "deep/er/"} {
		base = append(base, imagetest.Dir(d), imagetest.Regular(d+"below", "x"))
	}
	base = append(base, imagetest.Dir("odd/"))
	for _, f := range []string{"odd/.wh", "d/gone", "top", "file", "file-after", "d/stays"} {
		base = append(base, imagetest.Regular(f, "below"))
	}
	img := imagetest.Image{
		Names:  []string{"x"},
		Layers: []imagetest.Layer{{Files: base}, {Files: imagetest.GoldenLayers()["whiteouts"]}},
	}
	inMountNamespace(t, func() error {
		s := openStore(t, Options{})
		merged := mountOverlay(t, loadBytes(t, s, dockerArchive(t, img))[0])
		want := []string{
			".", "d", "d/below", "d/stays", "deep", "deep/below", "deep/er", "file", "file-after", "implied", "implied/x", "kept",
			"new", "new/file", "odd", "remade", "remade/y",
		}
		if got := names(t, merged); !slices.Equal(got, want) {
			t.Errorf("merged: %q\nwant:   %q", got, want)
		}
		return unix.Unmount(merged, 0)
	})
}

func TestOpaqueRootHidesAllBelow(t *testing.T) {
	img := imagetest.Image{Names: []string{"x"}, Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Regular("old", "x")}},
		{Files: []imagetest.File{imagetest.Regular(".wh..wh..opq", ""), imagetest.Regular("young", "x")}},
	}}
	inMountNamespace(t, func() error {
		loaded := loadBytes(t, openStore(t, Options{}), dockerArchive(t, img))[0]
		if len(loaded.Layers) != 1 {
			t.Fatalf("layers: %v", loaded.Layers)
		}
		merged := mountOverlay(t, loaded)
		if got := names(t, merged); !slices.Equal(got, []string{".", "young"}) {
			t.Errorf("merged: %q", got)
		}
		return unix.Unmount(merged, 0)
	})
}

func TestRepeatedLayerMounts(t *testing.T) {
	same := imagetest.Layer{Files: []imagetest.File{imagetest.Regular("a", "same")}}
	img := imagetest.Image{Names: []string{"x"}, Layers: []imagetest.Layer{
		same, {Files: []imagetest.File{imagetest.Regular("a", "between")}}, same,
	}}
	inMountNamespace(t, func() error {
		merged := mountOverlay(t, loadBytes(t, openStore(t, Options{}), dockerArchive(t, img))[0])
		if data, err := os.ReadFile(filepath.Join(merged, "a")); err != nil || string(data) != "same" {
			t.Errorf("a is %q, %v", data, err)
		}
		return unix.Unmount(merged, 0)
	})
}

func TestMissingParentsKeepTheirAttributes(t *testing.T) {
	img := imagetest.Image{Names: []string{"x"}, Layers: []imagetest.Layer{
		{Files: []imagetest.File{
			{Header: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o555}},
			{Header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}},
			{Header: tar.Header{Name: "home/", Typeflag: tar.TypeDir, Mode: 0o711, Gid: 5}},
			{Header: tar.Header{Name: "home/me/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 1000, Gid: 1000}},
			imagetest.Dir("plain/"), imagetest.Regular("replaced", "a file"),
			{Header: tar.Header{Name: "hidden/", Typeflag: tar.TypeDir, Mode: 0o700}},
		}},
		{Files: []imagetest.File{
			imagetest.Regular("tmp/x", "x"), imagetest.Regular("home/me/deep/x", "x"), imagetest.Regular("plain/x", "x"),
			imagetest.WhiteoutOf("hidden"), imagetest.Regular("hidden/x", "x"), imagetest.WhiteoutOf("replaced"), imagetest.Regular("replaced/x", "x"),
		}},
		{Files: []imagetest.File{imagetest.Regular("tmp/y", "y")}},
	}}
	want := map[string]string{
		".": "040555 0:0", "tmp": "041777 0:0", "home": "040711 0:5", "home/me": "040700 1000:1000", "home/me/deep": "040755 0:0",
		"plain": "040755 0:0", "hidden": "040755 0:0", "replaced": "040755 0:0",
	}
	inMountNamespace(t, func() error {
		s := openStore(t, Options{})
		for range 2 { // the second time all layers are there already
			merged := mountOverlay(t, loadBytes(t, s, dockerArchive(t, img))[0])
			seen := 0
			for line := range strings.Lines(imagetest.DescribeTree(t, merged)) {
				f := strings.Fields(line)
				if w := want[f[3]]; w != "" {
					seen++
					if got := f[0] + " " + f[1]; got != w {
						t.Errorf("%s is %s, want %s", f[3], got, w)
					}
				}
			}
			if seen != len(want) {
				t.Errorf("%d of %d directories are there", seen, len(want))
			}
			if err := unix.Unmount(merged, 0); err != nil {
				return err
			}
		}
		if got := leftovers(t, s, "l", "tmp"); len(got) != 4 {
			t.Errorf("layers: %v", got)
		}
		return nil
	})
}

func TestManyLayersFitTheMountOptions(t *testing.T) {
	img := imagetest.Image{Names: []string{"x"}}
	for i := range 120 {
		img.Layers = append(img.Layers, imagetest.Layer{Files: []imagetest.File{imagetest.Regular("f", strings.Repeat("x", i+1))}})
	}
	loaded := loadBytes(t, openStore(t, Options{}), dockerArchive(t, img))[0]
	length := 0
	for _, l := range loaded.Layers {
		length += len("/var/lib/podd/images/l/") + len(filepath.Base(l)) + 1
	}
	if len(loaded.Layers) != 120 || length > 4096 {
		t.Fatalf("%d layers need %d bytes", len(loaded.Layers), length)
	}
}
