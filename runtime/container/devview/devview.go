// Package devview makes the /dev of a container. A container's init calls it before libcontainer's, and imports nothing else
// of podd's.
//
// libcontainer makes each node, link and mount of /dev with the care that a path within an image needs, some fifty system
// calls each: a third of all that its init does. Here they are made in a folder of the machine that no image has a part in,
// in the new container's mount namespace, and libcontainer binds the whole. The folder is the same for all, but each
// container mounts there what the others do not see.
package devview

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is the one beside a container's root that names the folder.
const File = "dev"

// Mount is called by a container's init before libcontainer's, in the folder of its root, and says whether it made anything.
// Whoever has it made calls UseNull as soon as the container's root is the process's.
func Mount() (bool, error) {
	if os.Getenv("_LIBCONTAINER_INITTYPE") != "standard" {
		return false, nil // an exec, which is in the container's mounts already
	}
	dir, err := os.ReadFile("../" + File)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = mount(string(dir))
	}
	if err != nil {
		return false, fmt.Errorf("cannot make /dev: %w", err)
	}
	return true, nil
}

// mount makes what spec.DevMounts and libcontainer's own list of devices say.
func mount(dir string) error {
	// Nothing that is mounted here must show on the host.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot keep mounts from the host: %w", err)
	}
	const flags = unix.MS_NOSUID | unix.MS_NOEXEC
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags|unix.MS_STRICTATIME, "mode=755,size=65536k"); err != nil {
		return fmt.Errorf("cannot mount its tmpfs: %w", err)
	}
	for _, m := range []struct {
		name  string
		flags uintptr
		data  string
	}{
		{"devpts", flags, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"mqueue", flags | unix.MS_NODEV, ""},
	} {
		at := filepath.Join(dir, place(m.name))
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.name, at, m.name, m.flags, m.data); err != nil {
			return fmt.Errorf("cannot mount its %s: %w", m.name, err)
		}
	}
	for _, n := range nodes {
		if err := n.make(dir); err != nil {
			return fmt.Errorf("cannot make its device %s: %w", n.name, err)
		}
	}
	for _, l := range links {
		if err := os.Symlink(l.target, filepath.Join(dir, l.name)); err != nil {
			return err
		}
	}
	if _, err := os.Lstat("/proc/kcore"); err == nil {
		if err := os.Symlink("/proc/kcore", filepath.Join(dir, "core")); err != nil {
			return err
		}
	}
	return nil
}

// place is where a file system is mounted in /dev.
func place(fs string) string {
	if fs == "devpts" {
		return "pts"
	}
	return fs
}

type node struct {
	name         string
	major, minor uint32
}

// nodes are those that libcontainer gives to every container (its AllowedDevices). The console is mounted where there is one.
var nodes = [...]node{
	{"null", 1, 3}, {"random", 1, 8}, {"full", 1, 7}, {"tty", 5, 0}, {"zero", 1, 5}, {"urandom", 1, 9},
}

var links = [...]struct{ name, target string }{
	{"ptmx", "pts/ptmx"},
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// make binds the machine's node where none may be made: in a user namespace, or with a daemon that lacks CAP_MKNOD.
func (n node) make(dir string) error {
	at := filepath.Join(dir, n.name)
	err := unix.Mknod(at, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor)))
	if err == nil {
		return os.Chmod(at, 0o666) // whatever the umask is
	}
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), unix.Mount("/dev/"+n.name, at, "", unix.MS_BIND, ""))
}

// UseNull has whatever of the standard streams is the machine's /dev/null be the container's. libcontainer does so where it
// makes /dev itself: through an open one a container could change the machine's.
func UseNull() error {
	ours, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer ours.Close()
	for fd := range 3 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return fmt.Errorf("cannot look at descriptor %d: %w", fd, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
			continue
		}
		if err := unix.Dup3(int(ours.Fd()), fd, 0); err != nil {
			return fmt.Errorf("cannot replace descriptor %d: %w", fd, err)
		}
	}
	return nil
}
