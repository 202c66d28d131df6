package images

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/gc"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func short(titles []string) string {
	slices.Sort(titles)
	return strings.ReplaceAll(strings.Join(titles, " "), "docker.io/library/", "")
}

// What pods have or name, what is pinned and what the folder has brought stays, whatever is asked for.
func TestCollectKeepsWhatIsNeeded(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	ids := map[string]string{}
	for _, name := range []string{"running", "waiting", "pinned", "by-id", "unused"} {
		ids[name] = loadBytes(t, s, ociArchive(t, hello(name+":1", name)))[0].ID
	}
	dir := t.TempDir()
	writeFile(t, dir, "brought.tar", ociArchive(t, hello("brought:1", "brought")))
	if _, err := s.ImportFolder(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"pinned:1", ids["by-id"]} {
		if _, err := s.Pin(ref); err != nil {
			t.Fatal(err)
		}
	}
	o := CollectOptions{
		Settings: gc.Settings{High: 85, Low: 80}, Now: noon, Need: 1 << 60,
		Needs: Needs{IDs: map[string]bool{ids["running"]: true}, Names: map[string]bool{"waiting:1": true, "never/heard/of:it": true, "%": true}},
	}
	o.DryRun = true
	c, err := s.Collect(o)
	if err != nil || short(c.Removed) != "unused:1" || c.Freed != int64(len("unused")) || c.Short == 0 || len(s.List()) != 6 {
		t.Errorf("tried: %+v, %v", c, err)
	}
	o.DryRun = false
	if c, err = s.Collect(o); err != nil || short(c.Removed) != "unused:1" || len(s.List()) != 5 {
		t.Errorf("%+v, %v", c, err)
	}
	if left := leftovers(t, s, "l", "d"); len(left) != 12 {
		t.Errorf("left: %v", left)
	}
	if ref, err := s.Unpin("pinned:1"); err != nil || ref != "docker.io/library/pinned:1" || s.Pinned()[ids["pinned"]] || !s.Pinned()[ids["by-id"]] {
		t.Errorf("%q, %v", ref, err)
	}
	if c, err = s.Collect(CollectOptions{All: true, Needs: o.Needs, Now: noon}); err != nil || short(c.Removed) != "pinned:1" {
		t.Errorf("all: %+v, %v", c, err)
	}
	if _, err := s.Pin("nothing"); err == nil {
		t.Error("what is not there was pinned")
	}
}

// Nothing goes below the thresholds; the least recently used goes first; what is too old goes in any case; and a use is
// remembered over a restart without a write each time.
func TestCollectByUse(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	for _, name := range []string{"a:1", "b:1", "c:1"} {
		loadBytes(t, s, ociArchive(t, hello(name, name)))
	}
	collect := func(settings gc.Settings, at time.Time, need int64, names ...string) string {
		t.Helper()
		o := CollectOptions{Settings: settings, Now: at, Need: need, Needs: Needs{Names: map[string]bool{}}}
		for _, n := range names {
			o.Needs.Names[n] = true
		}
		c, err := s.Collect(o)
		if err != nil {
			t.Fatal(err)
		}
		return short(c.Removed)
	}
	calm := gc.Settings{High: 100, Low: 80, MinAge: time.Minute}
	if got := collect(calm, noon, 0, "b:1"); got != "" {
		t.Errorf("below the threshold %s went", got)
	}
	written := func() time.Time {
		st := must(t, func() (os.FileInfo, error) { return os.Stat(s.dir("used.json")) })
		return st.ModTime()
	}
	before := written()
	if got := collect(calm, noon.Add(time.Hour), 0, "b:1"); got != "" || !written().Equal(before) {
		t.Errorf("%q went; a use of the same day was written", got)
	}
	collect(calm, noon.Add(25*time.Hour), 0, "b:1")
	if written().Equal(before) {
		t.Error("a use of the next day was not written")
	}
	// Where inodes are what is missing, bytes that are free keep nothing, and all that may go does.
	c, err := s.Collect(CollectOptions{Settings: calm, Now: noon.Add(25 * time.Hour), Need: 1, Inodes: true, DryRun: true, Needs: Needs{Names: map[string]bool{"b:1": true}}})
	if err != nil || short(c.Removed) != "a:1 c:1" || c.Short != 0 {
		t.Errorf("for inodes: %+v, %v", c, err)
	}
	s = must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	old := gc.Settings{High: 100, Low: 80, MaxAge: 24 * time.Hour}
	if got := collect(old, noon.Add(26*time.Hour), 0); got != "a:1 c:1" {
		t.Errorf("too old is %q", got)
	}
	c, err = s.Collect(CollectOptions{Settings: old, Now: noon.Add(26 * time.Hour)})
	if err != nil || !c.Next.Equal(noon.Add(49*time.Hour)) {
		t.Errorf("next at %v, %v", c.Next, err)
	}
	if got := collect(old, time.Unix(1000, 0), 0); got != "" {
		t.Errorf("before the clock was set %q went", got)
	}
}

// An archive that does not fit is read again after room was made.
func TestImportMakesRoom(t *testing.T) {
	inMountNamespace(t, func() error {
		root := smallDisk(t, "2m")
		asked := 0
		s := must(t, func() (*Store, error) {
			return Open(root+"/store", Options{MakeRoom: func(Room) bool { asked++; return os.Remove(root+"/ballast") == nil }})
		})
		if err := os.WriteFile(root+"/ballast", make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
		i := hello("a", strings.Repeat("much ", 250000))
		i.Layers = i.Layers[1:] // of several layers one is unpacked by another thread, which does not see this disk
		path := writeFile(t, t.TempDir(), "a.tar", ociArchive(t, i))
		if _, err := s.LoadPath(t.Context(), path, LoadOptions{}); err != nil || asked != 1 {
			t.Errorf("asked %d times, %v", asked, err)
		}
		if left := leftovers(t, s, "tmp"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		return nil
	})
}

// smallDisk mounts a file system of a size in the test's own namespace.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // of a thread that is gone it goes by itself
	return dir
}
