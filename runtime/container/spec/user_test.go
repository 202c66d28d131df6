package spec

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

func ptr[T any](v T) *T { return &v }

// imageRoot is the root of an image with these files in its /etc.
func imageRoot(t *testing.T, passwd, group string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestResolveIdentity(t *testing.T) {
	root := imageRoot(t, "# comment\n\nroot:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nshort\n",
		"root:x:0:\nweb:x:34:\nextra:x:50:web,other\nagain:x:34:web\n7:x:70:\n")
	type pod = corev1.PodSecurityContext
	type own = corev1.SecurityContext
	for _, tc := range []struct {
		name  string
		image string
		pod   *pod
		c     *own
		want  Identity
		bad   string
	}{
		{name: "root by default", want: Identity{Groups: []int{0}}},
		{name: "name of the image", image: "web", want: Identity{UID: 33, GID: 34, Groups: []int{34, 50}}},
		{name: "numbers of the image", image: "7:8", want: Identity{UID: 7, GID: 8, Groups: []int{8}}},
		{name: "name and group of the image", image: "web:extra", want: Identity{UID: 33, GID: 50, Groups: []int{50, 34}}},
		{name: "a number is no name of a group", image: "7:7", want: Identity{UID: 7, GID: 7, Groups: []int{7}}},
		{name: "group alone", image: ":9", want: Identity{GID: 9, Groups: []int{9}}},
		{name: "unknown name", image: "nobody-here", bad: `cannot find user "nobody-here"`},
		{name: "unknown group", image: "web:nobody", bad: `cannot find group "nobody"`},
		{name: "no group after the colon", image: "web:", bad: "no group after the colon"},
		{name: "short line", image: "short", bad: `the ID of user "short"`},
		{name: "runAsUser wins", image: "web", pod: &pod{RunAsUser: ptr[int64](1001)}, want: Identity{UID: 1001, Groups: []int{0}}},
		{name: "a number is no name of a user", pod: &pod{RunAsUser: ptr[int64](1000)}, want: Identity{UID: 1000, Groups: []int{0}}},
		{name: "nor that of an image", image: "1000", want: Identity{UID: 1000, Groups: []int{0}}},
		{name: "container wins", pod: &pod{RunAsUser: ptr[int64](1001)}, c: &own{RunAsUser: ptr[int64](33), RunAsGroup: ptr[int64](9)}, want: Identity{UID: 33, GID: 9, Groups: []int{9, 50, 34}}},
		{name: "groups", pod: &pod{SupplementalGroups: []int64{3, 4, 3}, FSGroup: ptr[int64](5)}, want: Identity{Groups: []int{0, 3, 4, 5}}},
		{name: "strict groups", image: "web", pod: &pod{SupplementalGroups: []int64{3}, SupplementalGroupsPolicy: ptr(corev1.SupplementalGroupsPolicyStrict)}, want: Identity{UID: 33, GID: 34, Groups: []int{34, 3}}},
		{name: "nonroot and root", c: &own{RunAsNonRoot: ptr(true)}, bad: `container has runAsNonRoot and image will run as root (pod: "_()", container: c)`},
		{name: "nonroot and zero", c: &own{RunAsNonRoot: ptr(true), RunAsUser: ptr[int64](0)}, bad: `container's runAsUser breaks non-root policy (pod: "_()", container: c)`},
		{name: "nonroot and a zero of the image", image: "000", c: &own{RunAsNonRoot: ptr(true)}, bad: `container has runAsNonRoot and image will run as root (pod: "_()", container: c)`},
		{name: "nonroot and a name", image: "web", c: &own{RunAsNonRoot: ptr(true)}, bad: `container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root (pod: "_()", container: c)`},
		{name: "nonroot and a sign", image: "+0", c: &own{RunAsNonRoot: ptr(true)}, bad: `container has runAsNonRoot and image has non-numeric user (+0), cannot verify user is non-root (pod: "_()", container: c)`},
		{name: "nonroot and a number", image: "33", c: &own{RunAsNonRoot: ptr(true)}, want: Identity{UID: 33, GID: 34, Groups: []int{34, 50}}},
		{name: "nonroot and a name that is a number", image: "1000", c: &own{RunAsNonRoot: ptr(true)}, want: Identity{UID: 1000, Groups: []int{0}}},
	} {
		got, err := ResolveIdentity(&Config{
			Pod:       &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: tc.pod}},
			Container: &corev1.Container{Name: "c", SecurityContext: tc.c}, Image: Image{User: tc.image},
		}, root)
		if tc.bad != "" {
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.bad) {
				t.Errorf("%s: got %+v, %v; want it refused with %q", tc.name, got, err, tc.bad)
			}
			continue
		}
		if err != nil || got.UID != tc.want.UID || got.GID != tc.want.GID || !slices.Equal(got.Groups, tc.want.Groups) {
			t.Errorf("%s: got %+v, %v; want %+v", tc.name, got, err, tc.want)
		}
	}
}

// An ID that the kernel would take for another one, or that is none, is refused wherever it comes from.
func TestIDsOutOfRange(t *testing.T) {
	for _, id := range []string{"4294967295", "4294967296", "18446744073709551616", "99999999999999999999", "-1", "+5", "0x10", "", "abc"} {
		for name, tc := range map[string]struct{ image, passwd, group string }{
			"passwd":       {"web", "web:x:" + id + ":7::/:/bin/sh\n", ""},
			"passwd group": {"web", "web:x:7:" + id + "::/:/bin/sh\n", ""},
			"group":        {"web", "web:x:7:7::/:/bin/sh\n", "g:x:" + id + ":web\n"},
			"chosen group": {"web:g", "web:x:7:7::/:/bin/sh\n", "g:x:" + id + ":\n"},
			"user":         {id, "", ""},
			"user group":   {"7:" + id, "", ""},
		} {
			if name == "user" && id == "" {
				continue // root
			}
			c := &Config{Pod: &corev1.Pod{}, Container: &corev1.Container{Name: "c"}, Image: Image{User: tc.image}}
			if got, err := ResolveIdentity(c, imageRoot(t, tc.passwd, tc.group)); !errors.Is(err, ErrConfig) {
				t.Errorf("%s %q: got %+v, %v", name, id, got, err)
			}
		}
	}
	for _, id := range []int64{-1, 1<<32 - 1, 1 << 32, math.MaxInt64} {
		for name, sc := range map[string]*corev1.PodSecurityContext{
			"runAsUser": {RunAsUser: &id}, "runAsGroup": {RunAsGroup: &id}, "fsGroup": {FSGroup: &id}, "supplementalGroups": {SupplementalGroups: []int64{id}},
		} {
			c := &Config{Pod: &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: sc}}, Container: &corev1.Container{Name: "c"}}
			if got, err := ResolveIdentity(c, t.TempDir()); !errors.Is(err, ErrConfig) {
				t.Errorf("%s %d: got %+v, %v", name, id, got, err)
			}
		}
	}
	if id, err := parseID("user", strconv.Itoa(maxID)); err != nil || id != maxID {
		t.Errorf("the last ID: %d, %v", id, err)
	}
	// A file that is read in part would end in a line with another number.
	long := strings.Repeat("#\n", maxAccounts/2) + "web:x:1000:1000::/:/bin/sh\n"
	c := &Config{Pod: &corev1.Pod{}, Container: &corev1.Container{Name: "c"}, Image: Image{User: "web"}}
	if got, err := ResolveIdentity(c, imageRoot(t, long, "")); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a long file: %+v, %v", got, err)
	}
}

// TestPasswdIsReadInsideTheImage: an image whose /etc/passwd points outside gets its own tree, not the host's.
func TestPasswdIsReadInsideTheImage(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "passwd"), []byte("web:x:1:1::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "etc")); err != nil {
		t.Fatal(err)
	}
	if f, err := openInRoot(root, "etc/passwd"); f != nil || err != nil {
		t.Errorf("got %v, %v; want no file", f, err)
	}
}

// A container may put anything at the place of its passwd, and podd reads that for each command it runs there.
func TestPasswdThatIsNoFile(t *testing.T) {
	passwd := func(t *testing.T) (root, path string) {
		root = t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		return root, filepath.Join(root, "etc", "passwd")
	}
	for name, put := range map[string]func(path string) error{
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"fifo":   func(path string) error { return unix.Mkfifo(path, 0o666) },
		"socket": func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o666, 0) },
		// No driver has it: it is an error to open it.
		"device": func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(240, 77))) },
	} {
		t.Run(name, func(t *testing.T) {
			root, path := passwd(t)
			if err := put(path); err != nil {
				t.Skipf("it cannot be made here: %v", err)
			}
			if f, err := openInRoot(root, "etc/passwd"); f != nil || err != nil {
				t.Errorf("it was opened: %v, %v", f, err)
			}
		})
	}
}
