package volume

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// pod is a spec of containers that run as the users given, -1: the image decides; above is that of the pod.
func pod(above int64, users ...int64) *corev1.PodSpec {
	spec := &corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{}}
	if above >= 0 {
		spec.SecurityContext.RunAsUser = &above
	}
	for _, u := range users {
		c := corev1.Container{}
		if u >= 0 {
			c.SecurityContext = &corev1.SecurityContext{RunAsUser: &u}
		}
		spec.Containers = append(spec.Containers, c)
	}
	return spec
}

// A token belongs to a pod's user only where no container could run as another.
func TestOnlyUserOfAPod(t *testing.T) {
	withInit := func(spec *corev1.PodSpec, user int64) *corev1.PodSpec {
		spec.InitContainers = pod(-1, user).Containers
		return spec
	}
	for name, tc := range map[string]struct {
		spec *corev1.PodSpec
		want int64 // -1: none
	}{
		"nobody says":                     {pod(-1, -1), -1},
		"no security context":             {&corev1.PodSpec{Containers: []corev1.Container{{}}}, -1},
		"the pod says":                    {pod(1000, -1, -1), 1000},
		"a container says":                {pod(-1, 1000), 1000},
		"a container says other":          {pod(1000, 2000), 2000},
		"two say the same":                {pod(-1, 1000, 1000), 1000},
		"one as the pod, one by itself":   {pod(1000, -1, 1000), 1000},
		"two say others":                  {pod(-1, 1000, 2000), -1},
		"one says, and of one the image":  {pod(-1, 1000, -1), -1},
		"of one the image, and one says":  {pod(-1, -1, 1000), -1},
		"one says other than the pod":     {pod(1000, -1, 2000), -1},
		"root":                            {pod(0, -1), 0},
		"an init container says the same": {withInit(pod(1000, -1), 1000), 1000},
		"an init container says other":    {withInit(pod(1000, -1), 0), -1},
	} {
		got := OwnerOf(tc.spec).User
		if (got == nil) != (tc.want < 0) || got != nil && *got != tc.want {
			t.Errorf("%s: %v, want %d", name, got, tc.want)
		}
	}
}

func TestGroupOfAPod(t *testing.T) {
	always, mismatch := corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch
	for name, tc := range map[string]struct {
		sc     *corev1.PodSecurityContext
		group  int64 // -1: none
		onRoot bool
	}{
		"nothing":  {nil, -1, false},
		"empty":    {&corev1.PodSecurityContext{}, -1, false},
		"a group":  {&corev1.PodSecurityContext{FSGroup: ptr(int64(2000))}, 2000, false},
		"always":   {&corev1.PodSecurityContext{FSGroup: ptr(int64(0)), FSGroupChangePolicy: &always}, 0, false},
		"mismatch": {&corev1.PodSecurityContext{FSGroup: ptr(int64(5)), FSGroupChangePolicy: &mismatch}, 5, true},
	} {
		o := OwnerOf(&corev1.PodSpec{SecurityContext: tc.sc})
		if (o.Group == nil) != (tc.group < 0) || o.Group != nil && *o.Group != tc.group || o.OnRoot != tc.onRoot {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestFileModes(t *testing.T) {
	for bits, want := range map[uint32]fs.FileMode{
		0:                   0,
		0o644:               0o644,
		0o1777:              0o777 | fs.ModeSticky,
		0o2770:              0o770 | fs.ModeSetgid,
		0o4755:              0o755 | fs.ModeSetuid,
		0o7000:              fs.ModeSticky | fs.ModeSetgid | fs.ModeSetuid,
		unix.S_IFDIR | 0o70: 0o70, // the type is none of its bits
	} {
		if got := fileMode(bits); got != want {
			t.Errorf("%o: %v, want %v", bits, got, want)
		}
	}
}

// stat is "mode uid:gid" of what is at path itself.
func stat(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return fmt.Sprintf("%o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
}

// Each kind of file gets what it needs for the group to write, and keeps the rest of its bits.
func TestOwnKeepsTheRest(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Chmod(dir, 0o700), os.WriteFile(in("plain"), nil, 0o600), os.WriteFile(in("program"), nil, 0o711), os.Mkdir(in("folder"), 0o700),
		os.Mkdir(in("sticky"), 0o755), os.Chmod(in("sticky"), 0o777|fs.ModeSticky), unix.Mkfifo(in("pipe"), 0o600),
		os.Symlink("plain", in("link")), os.Chown(in("plain"), 5, 5))
	must(t, Own(dir, Owner{Group: ptr(int64(3000))}))
	for name, want := range map[string]string{
		".": "2770 0:3000", "plain": "660 5:3000", "program": "771 0:3000", "folder": "2770 0:3000", "sticky": "3777 0:3000", "pipe": "660 0:3000", "link": "777 0:3000",
	} {
		if got := stat(t, in(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOwnOnRootMismatch(t *testing.T) {
	needRoot(t)
	group := int64(3000)
	for name, tc := range map[string]struct {
		gid     int
		mode    fs.FileMode
		walks   bool
		onRoot  bool
		noGroup bool
	}{
		"as it is to be":          {gid: 3000, mode: 0o770 | fs.ModeSetgid, onRoot: true},
		"more than it is to be":   {gid: 3000, mode: 0o777 | fs.ModeSetgid, onRoot: true},
		"always":                  {gid: 3000, mode: 0o770 | fs.ModeSetgid, walks: true},
		"another group":           {gid: 3001, mode: 0o770 | fs.ModeSetgid, onRoot: true, walks: true},
		"not for the group":       {gid: 3000, mode: 0o700 | fs.ModeSetgid, onRoot: true, walks: true},
		"no group for what comes": {gid: 3000, mode: 0o770, onRoot: true, walks: true},
		"no fsGroup":              {gid: 5, mode: 0o700, noGroup: true},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		must(t, os.WriteFile(file, nil, 0o600), os.Chown(dir, 0, tc.gid), os.Chmod(dir, tc.mode))
		before := stat(t, dir)
		o := Owner{Group: &group, OnRoot: tc.onRoot}
		if tc.noGroup {
			o.Group = nil
		}
		must(t, Own(dir, o))
		want := "600 0:0"
		if tc.walks {
			want = "660 0:3000"
		} else if got := stat(t, dir); got != before {
			t.Errorf("%s: the root is %s, was %s", name, got, before)
		}
		if got := stat(t, file); got != want {
			t.Errorf("%s: the file is %s, want %s", name, got, want)
		}
	}
}

// What is no folder is not owned: a container could have put a link in its place.
func TestOwnOfWhatIsNoFolder(t *testing.T) {
	up, group := t.TempDir(), int64(1)
	outside := t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(up, "link")), os.WriteFile(filepath.Join(up, "file"), nil, 0o600))
	for _, name := range []string{"none", "link", "file"} {
		if err := Own(filepath.Join(up, name), Owner{Group: &group}); err == nil {
			t.Errorf("%s was owned", name)
		}
		if err := Label(filepath.Join(up, name), "u:r:t:s0", false); err == nil {
			t.Errorf("%s was labelled", name)
		}
	}
	must(t, Own(filepath.Join(up, "none"), Owner{}), Label(filepath.Join(up, "none"), "", true)) // nothing is asked for
}

// labels are those of paths, "" for none.
func labels(t *testing.T, dir string, names ...string) string {
	t.Helper()
	var out []string
	for _, name := range names {
		text := make([]byte, 256)
		n, err := unix.Lgetxattr(filepath.Join(dir, name), attrLabel, text)
		if err != nil {
			n = 0
		}
		out = append(out, unix.ByteSliceToString(text[:n]))
	}
	return strings.Join(out, " ")
}

// The kernel keeps labels also where no SELinux reads them.
func TestLabel(t *testing.T) {
	needRoot(t)
	dir, outside := t.TempDir(), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const one, two = "system_u:object_r:container_file_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c3,c4"
	must(t, os.MkdirAll(in("sub"), 0o755), os.WriteFile(in("sub/file"), nil, 0o600), os.Symlink(outside, in("link")))
	if err := unix.Setxattr(in("sub/file"), attrLabel, []byte("probe\x00"), 0); err != nil {
		t.Skipf("no labels here: %v", err)
	}
	must(t, Label(dir, one, false))
	if got, want := labels(t, dir, ".", "sub", "sub/file"), one+" "+one+" "+one; got != want {
		t.Errorf("labels are %q", got)
	}
	if got := labels(t, outside, "."); got != "" {
		t.Errorf("the link was followed: %q", got)
	}
	// A root that has it says that the rest has; unless files have come meanwhile.
	must(t, os.WriteFile(in("new"), nil, 0o600), Label(dir, one, false))
	if got := labels(t, dir, "new"); got != "" {
		t.Errorf("all was gone through again: %q", got)
	}
	must(t, Label(dir, one, true))
	if got := labels(t, dir, "new"); got != one {
		t.Errorf("what is new has %q", got)
	}
	must(t, Label(dir, two, false))
	if got := labels(t, dir, ".", "sub/file"); got != two+" "+two {
		t.Errorf("after a change: %q", got)
	}
}

func TestLabelledMounts(t *testing.T) {
	for _, tc := range []struct{ options, label, want string }{
		{"mode=777", "", "mode=777"},
		{"mode=777,size=5", "u:r:t:s0:c1,c2", `mode=777,size=5,context="u:r:t:s0:c1,c2"`},
	} {
		if got := labelled(tc.options, tc.label); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
