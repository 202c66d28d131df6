package volume

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// TestHostPathTypes tries every type on everything that a path can be.
func TestHostPathTypes(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	l, err := net.Listen("unix", at("socket"))
	must(t, err, os.Mkdir(at("dir"), 0o755), os.WriteFile(at("file"), nil, 0o644),
		unix.Mknod(at("char"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))), unix.Mknod(at("block"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 0))))
	defer l.Close()
	fits := map[corev1.HostPathType]string{
		corev1.HostPathDirectory: "dir", corev1.HostPathFile: "file", corev1.HostPathSocket: "socket",
		corev1.HostPathCharDev: "char", corev1.HostPathBlockDev: "block",
		corev1.HostPathDirectoryOrCreate: "dir", corev1.HostPathFileOrCreate: "file",
	}
	words := map[corev1.HostPathType]string{
		corev1.HostPathDirectory: "directory", corev1.HostPathFile: "file", corev1.HostPathSocket: "socket file",
		corev1.HostPathCharDev: "character device", corev1.HostPathBlockDev: "block device",
		corev1.HostPathDirectoryOrCreate: "directory", corev1.HostPathFileOrCreate: "file",
	}
	for kind, only := range fits {
		for _, name := range []string{"dir", "file", "socket", "char", "block", "missing"} {
			creates := kind == corev1.HostPathDirectoryOrCreate || kind == corev1.HostPathFileOrCreate
			err := ensureHostPath(&corev1.HostPathVolumeSource{Path: at(name), Type: &kind})
			switch good := name == only || name == "missing" && creates; {
			case good && err != nil:
				t.Errorf("%s on %s: %v", kind, name, err)
			case !good && (err == nil || err.Error() != "hostPath type check failed: "+at(name)+" is not a "+words[kind]):
				t.Errorf("%s on %s: %v", kind, name, err)
			}
			_ = os.Remove(at("missing"))
		}
	}
	for _, name := range []string{"dir", "file", "socket", "char", "block", "missing"} {
		must(t, ensureHostPath(&corev1.HostPathVolumeSource{Path: at(name)}))
	}
}

// Of a device that is not plugged in, a kubelet's sentence says no more than that it is none.
func TestDeviceThatIsNotThere(t *testing.T) {
	const path = "/dev/podd-test-none"
	for kind, want := range map[corev1.HostPathType]string{
		corev1.HostPathUnset:     "device " + path + " is not there",
		corev1.HostPathCharDev:   "hostPath type check failed: " + path + " is not a character device: nothing of this name is there; plug it in, or correct the path",
		corev1.HostPathBlockDev:  "hostPath type check failed: " + path + " is not a block device: nothing of this name is there; plug it in, or correct the path",
		corev1.HostPathSocket:    "hostPath type check failed: " + path + " is not a socket file",
		corev1.HostPathDirectory: "hostPath type check failed: " + path + " is not a directory",
	} {
		if err := ensureHostPath(&corev1.HostPathVolumeSource{Path: path, Type: &kind}); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", kind, err, want)
		}
	}
	other := corev1.HostPathBlockDev
	if err := ensureHostPath(&corev1.HostPathVolumeSource{Path: "/dev/null", Type: &other}); err == nil || err.Error() != "hostPath type check failed: /dev/null is not a block device" {
		t.Errorf("another kind of device: %v", err)
	}
}
