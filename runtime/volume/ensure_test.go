package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/netns/nstest"
)

// newDirs are places of their own in a mount namespace of the test's.
func newDirs(t *testing.T) *Dirs {
	t.Helper()
	private(t)
	up := t.TempDir()
	d := &Dirs{Disk: filepath.Join(up, "disk"), Memory: filepath.Join(up, "memory")}
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func newVolume(s corev1.VolumeSource) *corev1.Volume {
	return &corev1.Volume{Name: "v", VolumeSource: s}
}

func emptyDir(medium corev1.StorageMedium, size string, mode *int32) *corev1.Volume {
	e := &corev1.EmptyDirVolumeSource{Medium: medium, Mode: mode}
	if size != "" {
		e.SizeLimit = ptr(resource.MustParse(size))
	}
	return newVolume(corev1.VolumeSource{EmptyDir: e})
}

// fsOf is the type of the file system at path, and its size in bytes.
func fsOf(t *testing.T, path string) (kind, size int64) {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(path, &st))
	return int64(st.Type), int64(st.Blocks) * int64(st.Bsize)
}

func TestEnsureEmptyDir(t *testing.T) {
	d := newDirs(t)
	for name, tc := range map[string]struct {
		v      *corev1.Volume
		memory int64 // of the pod
		owner  Owner
		stat   string
		size   int64 // 0: it is no tmpfs of its own
	}{
		"disk":                         {v: emptyDir("", "", nil), stat: "777 0:0"},
		"disk with a mode":             {v: emptyDir("", "", ptr(int32(0o1750))), stat: "1750 0:0"},
		"disk of a group":              {v: emptyDir("", "", nil), owner: Owner{Group: ptr(int64(9))}, stat: "2777 0:9"},
		"memory":                       {v: emptyDir("Memory", "1Mi", nil), stat: "777 0:0", size: 1 << 20},
		"memory with a mode":           {v: emptyDir("Memory", "1Mi", ptr(int32(0o700))), stat: "700 0:0", size: 1 << 20},
		"memory of a group":            {v: emptyDir("Memory", "1Mi", nil), owner: Owner{Group: ptr(int64(9))}, stat: "2777 0:9", size: 1 << 20},
		"memory as the pod":            {v: emptyDir("Memory", "", nil), memory: 2 << 20, stat: "777 0:0", size: 2 << 20},
		"memory, less than the pod":    {v: emptyDir("Memory", "1Mi", nil), memory: 2 << 20, stat: "777 0:0", size: 1 << 20},
		"memory, no more than the pod": {v: emptyDir("Memory", "3Mi", nil), memory: 2 << 20, stat: "777 0:0", size: 2 << 20},
	} {
		r := &Request{UID: strings.ReplaceAll(name, " ", "-"), Volume: tc.v, Owner: tc.owner, Memory: tc.memory}
		path, err := d.Ensure(r)
		must(t, err)
		if got := stat(t, path); got != tc.stat {
			t.Errorf("%s: %s, want %s", name, got, tc.stat)
		}
		parent := d.Disk
		if tc.size > 0 {
			parent = d.Memory
			if kind, size := fsOf(t, path); kind != unix.TMPFS_MAGIC || size != tc.size {
				t.Errorf("%s: type %x, size %d, want %d", name, kind, size, tc.size)
			}
		}
		if want := filepath.Join(parent, r.UID, "v"); path != want {
			t.Errorf("%s: it is at %s, want %s", name, path, want)
		}
		if got, err := d.Path(r.UID, tc.v); err != nil || got != path {
			t.Errorf("%s: without a look it is at %s, %v", name, got, err)
		}
		// Once more: what containers have written stays, and nothing is mounted on it.
		must(t, os.WriteFile(filepath.Join(path, "data"), nil, 0o600))
		before := nstest.MountsBelow(t, path)
		again, err := d.Ensure(r)
		must(t, err)
		isThere(t, filepath.Join(again, "data"))
		if after := nstest.MountsBelow(t, path); after != before {
			t.Errorf("%s: %d mounts, %d before", name, after, before)
		}
	}
	if kind, _ := fsOf(t, d.Memory); kind != unix.TMPFS_MAGIC {
		t.Errorf("what is to be in memory is on type %x", kind)
	}
}

// A pod's folder is closed to the machine's users.
func TestFoldersOfPodsAreClosed(t *testing.T) {
	d := newDirs(t)
	for _, medium := range []corev1.StorageMedium{"", "Memory"} {
		path, err := d.Ensure(&Request{UID: "u", Volume: emptyDir(medium, "1Mi", nil)})
		must(t, err)
		if got := stat(t, filepath.Dir(path)); got != "700 0:0" {
			t.Errorf("%q: the pod's folder is %s", medium, got)
		}
	}
}

func TestEmptyDirOfUnknownMedium(t *testing.T) {
	d := newDirs(t)
	if _, err := d.Ensure(&Request{UID: "u", Volume: emptyDir("Tape", "", nil)}); err == nil || !strings.Contains(err.Error(), `unknown storage medium "Tape"`) {
		t.Errorf("error %v", err)
	}
}

func TestMediumsOfHugePages(t *testing.T) {
	const mega = 1 << 20
	for name, tc := range map[string]struct {
		medium corev1.StorageMedium
		asked  []int64
		want   string
	}{
		"none asked for":       {"HugePages", nil, "no resource request for huge pages"},
		"two asked for":        {"HugePages", []int64{2 * mega, 1024 * mega}, "multiple huge page sizes"},
		"another asked for":    {"HugePages-3Mi", []int64{2 * mega}, "no resource request for huge pages"},
		"no size":              {"HugePages-big", []int64{2 * mega}, `"big" is no size`},
		"that nobody has":      {"HugePages-3Mi", []int64{3 * mega}, "no huge pages of 3072 KiB set aside"},
		"the only one, absent": {"HugePages", []int64{3 * mega}, "no huge pages of 3072 KiB set aside"},
	} {
		if err := mountHugePages("/nowhere", tc.medium, 0o777, tc.asked, ""); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestSmallest(t *testing.T) {
	for _, tc := range [][3]int64{{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {5, 6, 5}, {6, 5, 5}, {5, 5, 5}} {
		if got := smallest(tc[0], tc[1]); got != tc[2] {
			t.Errorf("of %d and %d it is %d", tc[0], tc[1], got)
		}
	}
}

func TestEnsureEphemeral(t *testing.T) {
	d := newDirs(t)
	for name, template := range map[string]*corev1.PersistentVolumeClaimTemplate{
		"none": nil,
		"sized": {Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")},
		}}},
	} {
		v := newVolume(corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: template}})
		path, err := d.Ensure(&Request{UID: name, Volume: v, Owner: Owner{Group: ptr(int64(4))}})
		must(t, err)
		if got := stat(t, path); path != filepath.Join(d.Disk, name, "v") || got != "2777 0:4" {
			t.Errorf("%s: %s is %s", name, path, got)
		}
		if got, err := d.Path(name, v); err != nil || got != path {
			t.Errorf("%s: without a look it is at %s, %v", name, got, err)
		}
	}
}

func TestEnsureHostPathAndClaim(t *testing.T) {
	d := newDirs(t)
	host, claim := t.TempDir(), t.TempDir()
	v := newVolume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: host}})
	path, err := d.Ensure(&Request{UID: "u", Volume: v, Owner: Owner{Group: ptr(int64(5))}})
	must(t, err)
	if own := stat(t, host); path != host || own != "755 0:0" {
		t.Errorf("the host's folder %s is %s now, at %s", host, own, path)
	}
	if got, err := d.Path("u", v); err != nil || got != host {
		t.Errorf("without a look it is at %s, %v", got, err)
	}
	v = newVolume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}})
	path, err = d.Ensure(&Request{UID: "u", Volume: v, Claim: claim, Owner: Owner{Group: ptr(int64(5))}})
	must(t, err)
	if own := stat(t, claim); path != claim || own != "2775 0:5" {
		t.Errorf("the claim's folder is %s now, at %s", own, path)
	}
	if _, err := d.Path("u", v); err == nil {
		t.Error("a claim is said to have a folder of the pod's")
	}
	if _, err := d.Ensure(&Request{UID: "u", Volume: v, Claim: filepath.Join(claim, "none"), Owner: Owner{Group: ptr(int64(5))}}); err == nil {
		t.Error("a claim whose folder is gone is taken for one that is there")
	}
}

// imageLayers are folders with the files given, "name=text" each.
func imageLayers(t *testing.T, layers ...[]string) []string {
	t.Helper()
	var out []string
	for _, files := range layers {
		dir := t.TempDir()
		for _, f := range files {
			name, text, _ := strings.Cut(f, "=")
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
		}
		out = append(out, dir)
	}
	return out
}

func TestEnsureImage(t *testing.T) {
	for name, layers := range map[string][]string{
		"one layer":  imageLayers(t, []string{"a=top", "b=2"}),
		"two layers": imageLayers(t, []string{"a=bottom", "b=2"}, []string{"a=top"}),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirs(t)
			r := &Request{UID: "u", Volume: newVolume(corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "tool:1"}}), Layers: layers}
			path, err := d.Ensure(r)
			if len(layers) > 1 && errors.Is(err, unix.EINVAL) {
				t.Skipf("no overlays on this disk: %v", err)
			}
			must(t, err)
			for file, want := range map[string]string{"a": "top", "b": "2"} {
				if got, err := os.ReadFile(filepath.Join(path, file)); err != nil || string(got) != want {
					t.Errorf("%s is %q, %v", file, got, err)
				}
			}
			if err := os.WriteFile(filepath.Join(path, "new"), nil, 0o600); !errors.Is(err, unix.EROFS) {
				t.Errorf("it can be written to: %v", err)
			}
			var st unix.Statfs_t
			must(t, unix.Statfs(path, &st))
			if all := int64(unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC); int64(st.Flags)&all != all {
				t.Errorf("it is mounted with flags %x", st.Flags)
			}
			again, err := d.Ensure(r)
			must(t, err)
			if n := nstest.MountsBelow(t, path); again != path || n != 1 {
				t.Errorf("the second time it is at %s, with %d mounts", again, n)
			}
			must(t, d.Remove("u"))
			isThere(t, filepath.Join(layers[0], "b"))
		})
	}
}

func TestImageThatIsNotThere(t *testing.T) {
	d := newDirs(t)
	_, err := d.Ensure(&Request{UID: "u", Volume: newVolume(corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "tool:1"}})})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `image "tool:1" is not on this board`) {
		t.Errorf("error %v", err)
	}
}

// A volume whose files podd writes comes up to date by being ensured or refreshed, and its folder is podd's.
func TestRefresh(t *testing.T) {
	d := newDirs(t)
	l := objects()
	r := &Request{UID: "u", Volume: newVolume(configMap(corev1.ConfigMapVolumeSource{}, "settings")), Lookup: l, Now: time.Unix(1_800_000_000, 0)}
	path, err := d.Ensure(r)
	must(t, err)
	if got := listing(t, path); path != filepath.Join(d.Memory, "u", "v") || got != "..data blob empty mode" {
		t.Errorf("in %s there is %q", path, got)
	}
	if _, changed, err := d.Refresh(r); changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	l.ConfigMap = func(string) *corev1.ConfigMap { return &corev1.ConfigMap{Data: map[string]string{"mode": "slow"}} }
	r.Now = time.Unix(1_800_000_001, 0)
	if _, changed, err := d.Refresh(r); !changed || err != nil {
		t.Errorf("it has changed: %v, %v", changed, err)
	}
	if data, err := os.ReadFile(filepath.Join(path, "mode")); err != nil || string(data) != "slow" || listing(t, path) != "..data mode" {
		t.Errorf("mode is %q, %v, in %s", data, err, listing(t, path))
	}
	// What the volume is made of goes: the files stay as they were.
	l.ConfigMap = func(string) *corev1.ConfigMap { return nil }
	if _, changed, err := d.Refresh(r); changed || !errors.Is(err, ErrNotFound) {
		t.Errorf("without a ConfigMap: %v, %v", changed, err)
	}
	isThere(t, filepath.Join(path, "mode"))
}

func TestRefreshOfUnknownType(t *testing.T) {
	d := newDirs(t)
	if _, _, err := d.Refresh(&Request{UID: "u", Volume: newVolume(corev1.VolumeSource{}), Lookup: objects()}); err == nil || !strings.Contains(err.Error(), "does not know this type") {
		t.Errorf("error %v", err)
	}
	if _, err := d.Ensure(&Request{UID: "u", Volume: newVolume(corev1.VolumeSource{}), Lookup: objects()}); err == nil {
		t.Error("it is ensured")
	}
	isGone(t, d.Memory)
}

func TestPathsWithoutALook(t *testing.T) {
	d := &Dirs{Disk: "/disk", Memory: "/memory"}
	for name, tc := range map[string]struct {
		s    corev1.VolumeSource
		want string
	}{
		"ConfigMap":   {configMap(corev1.ConfigMapVolumeSource{}, "c"), "/memory/u/v"},
		"Secret":      {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}, "/memory/u/v"},
		"downwardAPI": {corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}, "/memory/u/v"},
		"projected":   {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}, "/memory/u/v"},
		"image":       {corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}, "/memory/u/v"},
		"nfs":         {corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}, "/memory/u/v"},
		"memory":      {emptyDir("Memory", "", nil).VolumeSource, "/memory/u/v"},
		"huge pages":  {emptyDir("HugePages", "", nil).VolumeSource, "/memory/u/v"},
		"disk":        {emptyDir("", "", nil).VolumeSource, "/disk/u/v"},
		"ephemeral":   {corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, "/disk/u/v"},
		"hostPath":    {corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}, "/etc"},
		"nothing":     {corev1.VolumeSource{}, ""},
	} {
		got, err := d.Path("u", newVolume(tc.s))
		if got != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got := d.SharePath("u", "v"); got != "/memory/u/v" {
		t.Errorf("a share is at %s", got)
	}
	for path, want := range map[string]string{"/memory/u/v": "u", "/memory/u": "u", "/memory/u/v/deep/er": "u"} {
		if got := d.PodOf(path); got != want {
			t.Errorf("%s is of %q", path, got)
		}
	}
}

func TestReadOnlyVolumes(t *testing.T) {
	for name, tc := range map[string]struct {
		s    corev1.VolumeSource
		want bool
	}{
		"ConfigMap":         {configMap(corev1.ConfigMapVolumeSource{}, "c"), true},
		"Secret":            {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}, true},
		"downwardAPI":       {corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}, true},
		"projected":         {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}, true},
		"image":             {corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}, true},
		"claim":             {corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}, false},
		"claim, read-only":  {corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ReadOnly: true}}, true},
		"nfs":               {corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}, false},
		"nfs, read-only":    {corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{ReadOnly: true}}, true},
		"emptyDir":          {emptyDir("", "", nil).VolumeSource, false},
		"emptyDir, memory":  {emptyDir("Memory", "", nil).VolumeSource, false},
		"hostPath":          {corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}, false},
		"ephemeral":         {corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, false},
		"of no known type.": {corev1.VolumeSource{}, false},
	} {
		if got := ReadOnly(newVolume(tc.s)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestShareOf(t *testing.T) {
	if got := ShareOf(emptyDir("", "", nil)); got != nil {
		t.Errorf("an emptyDir shows %v", got)
	}
	got := ShareOf(newVolume(corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nas", Path: "/data", ReadOnly: true}}))
	if got == nil || got.Server != "nas" || got.Path != "/data" || !got.ReadOnly {
		t.Errorf("it shows %+v", got)
	}
}

// Each part of a pod's volumes goes when it is to go, and not before.
func TestRemoveOfAPod(t *testing.T) {
	d := newDirs(t)
	for _, uid := range []string{"a", "b"} {
		for _, v := range []*corev1.Volume{{Name: "disk", VolumeSource: emptyDir("", "", nil).VolumeSource}, {Name: "memory", VolumeSource: emptyDir("Memory", "1Mi", nil).VolumeSource}} {
			path, err := d.Ensure(&Request{UID: uid, Volume: v})
			must(t, err, os.WriteFile(filepath.Join(path, "data"), nil, 0o600))
		}
	}
	orphans := func(known ...string) string {
		m := map[string]bool{}
		for _, k := range known {
			m[k] = true
		}
		list := d.Orphans(m)
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	if all, one, none := orphans(), orphans("a"), orphans("a", "b"); all != "a b" || one != "b" || none != "" {
		t.Errorf("nobody's are %q, beside a's %q, beside both %q", all, one, none)
	}
	// With the boot, what is in memory goes alone.
	must(t, d.RemoveMemory("a"))
	isGone(t, filepath.Join(d.Memory, "a"))
	isThere(t, filepath.Join(d.Disk, "a", "disk", "data"))
	isThere(t, filepath.Join(d.Memory, "b", "memory", "data"))
	must(t, d.Remove("b"), d.Remove("b"), d.Remove("never"))
	isGone(t, filepath.Join(d.Disk, "b"))
	isGone(t, filepath.Join(d.Memory, "b"))
	isThere(t, filepath.Join(d.Disk, "a", "disk", "data"))
	must(t, d.Remove("a"))
	if got := orphans(); got != "" {
		t.Errorf("%q are left", got)
	}
	must(t, d.Close(), d.Close())
	if kind, _ := fsOf(t, d.Memory); kind == unix.TMPFS_MAGIC {
		var at, up unix.Stat_t
		if must(t, unix.Lstat(d.Memory, &at), unix.Lstat(filepath.Dir(d.Memory), &up)); at.Dev != up.Dev {
			t.Error("the tmpfs is still mounted")
		}
	}
}

func TestSubPathsPlace(t *testing.T) {
	d := newDirs(t)
	path, err := d.SubPath("u", "c-0")
	if want := filepath.Join(d.Memory, "u", ".subpaths", "c-0"); err != nil || path != want {
		t.Errorf("%s, %v", path, err)
	}
}

// A folder of volumes that cannot be made is an error of the volume's, with the cause.
func TestPlacesThatCannotBe(t *testing.T) {
	d := newDirs(t)
	must(t, os.WriteFile(d.Disk, nil, 0o600), os.WriteFile(d.Memory, nil, 0o600))
	for _, v := range []*corev1.Volume{
		emptyDir("", "", nil), emptyDir("Memory", "", nil), newVolume(corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}),
		newVolume(configMap(corev1.ConfigMapVolumeSource{}, "settings")), newVolume(corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}),
	} {
		if _, err := d.Ensure(&Request{UID: "u", Volume: v, Lookup: objects(), Layers: []string{"/etc"}}); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%v: %v", v.VolumeSource, err)
		}
	}
	if _, err := d.SubPath("u", "x"); err == nil {
		t.Error("there is a place for a subPath")
	}
	must(t, os.Remove(d.Disk), os.Remove(d.Memory))
}

func TestClaimFolders(t *testing.T) {
	up := t.TempDir()
	dir, next := filepath.Join(up, "claim"), filepath.Join(up, "claim.new")
	must(t, EnsureFolder(dir, 0), os.WriteFile(filepath.Join(dir, "old"), nil, 0o600), EnsureFolder(dir, 1<<20))
	isThere(t, filepath.Join(dir, "old"))
	if info, err := os.Stat(dir); err != nil || info.Mode() != 0o777|fs.ModeDir {
		t.Errorf("%v, %v", info, err)
	}
	// A folder is put in the place of one that is there, and of one that is not.
	must(t, os.Mkdir(next, 0o755), os.WriteFile(filepath.Join(next, "new"), nil, 0o600), Replace(dir, next))
	isThere(t, filepath.Join(dir, "new"))
	isGone(t, filepath.Join(dir, "old"))
	isGone(t, next)
	must(t, RemoveFolder(dir), RemoveFolder(dir), os.Mkdir(next, 0o755), os.WriteFile(filepath.Join(next, "newer"), nil, 0o600), Replace(dir, next))
	isThere(t, filepath.Join(dir, "newer"))
	if err := Replace(dir, next); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder to put there: %v", err)
	}
	isThere(t, filepath.Join(dir, "newer"))
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	base, err := Usage(dir)
	must(t, err)
	must(t, os.WriteFile(in("data"), make([]byte, 1<<20), 0o600))
	for i := range 4 {
		must(t, os.Link(in("data"), in("name"+strings.Repeat("x", i))))
	}
	sparse, err := os.Create(in("sparse"))
	must(t, err, sparse.Truncate(1<<30), sparse.Close())
	outside := filepath.Join(t.TempDir(), "big")
	must(t, os.WriteFile(outside, make([]byte, 4<<20), 0o600), os.Symlink(outside, in("link")))
	got, err := Usage(dir)
	if used := got - base; err != nil || used < 1<<20 || used >= 2<<20 {
		t.Errorf("1 MiB with five names, a hole and a link take %d bytes, %v", used, err)
	}
	for _, path := range []string{in("none"), in("data"), in("link")} {
		if _, err := Usage(path); err == nil {
			t.Errorf("%s was measured", path)
		}
	}
	// What is too deep is not seen, and no error.
	deepTree(t, in("deep"), deepest+10)
	if _, err := Usage(dir); err != nil {
		t.Error(err)
	}
}
