package container

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

func ptr[T any](v T) *T { return &v }

func TestResolveIdentity(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"passwd": "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
		"group":  "root:x:0:\nweb:x:34:\nextra:x:50:web\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pod := func(sc *corev1.PodSecurityContext) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: sc}}
	}
	for _, tc := range []struct {
		name  string
		image string
		pod   *corev1.PodSecurityContext
		c     *corev1.SecurityContext
		want  identity
		bad   bool
	}{
		{name: "root by default", want: identity{}},
		{name: "name of the image", image: "web", want: identity{uid: 33, gid: 34, groups: []int{50}}},
		{name: "numbers of the image", image: "7:8", want: identity{uid: 7, gid: 8}},
		{name: "unknown name", image: "nobody-here", bad: true},
		{name: "runAsUser wins", image: "web", pod: &corev1.PodSecurityContext{RunAsUser: ptr[int64](1000)}, want: identity{uid: 1000}},
		{name: "container wins", pod: &corev1.PodSecurityContext{RunAsUser: ptr[int64](1000)}, c: &corev1.SecurityContext{RunAsUser: ptr[int64](33), RunAsGroup: ptr[int64](9)}, want: identity{uid: 33, gid: 9, groups: []int{50}}},
		{name: "groups", pod: &corev1.PodSecurityContext{SupplementalGroups: []int64{3, 4}, FSGroup: ptr[int64](5)}, want: identity{groups: []int{3, 4, 5}}},
		{name: "strict groups", image: "web", pod: &corev1.PodSecurityContext{SupplementalGroups: []int64{3}, SupplementalGroupsPolicy: ptr(corev1.SupplementalGroupsPolicyStrict)}, want: identity{uid: 33, gid: 34, groups: []int{3}}},
		{name: "nonroot and root", c: &corev1.SecurityContext{RunAsNonRoot: ptr(true)}, bad: true},
		{name: "nonroot and zero", c: &corev1.SecurityContext{RunAsNonRoot: ptr(true), RunAsUser: ptr[int64](0)}, bad: true},
		{name: "nonroot and a name", image: "web", c: &corev1.SecurityContext{RunAsNonRoot: ptr(true)}, bad: true},
		{name: "nonroot and a number", image: "33", c: &corev1.SecurityContext{RunAsNonRoot: ptr(true)}, want: identity{uid: 33, gid: 34, groups: []int{50}}},
	} {
		got, err := resolveIdentity(&Config{Pod: pod(tc.pod), Container: &corev1.Container{Name: "c", SecurityContext: tc.c}, Image: Image{User: tc.image}}, root)
		if tc.bad {
			if !errors.Is(err, ErrConfig) {
				t.Errorf("%s: got %+v, %v; want it refused", tc.name, got, err)
			}
			continue
		}
		if err != nil || got.uid != tc.want.uid || got.gid != tc.want.gid || !slices.Equal(got.groups, tc.want.groups) {
			t.Errorf("%s: got %+v, %v; want %+v", tc.name, got, err, tc.want)
		}
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
