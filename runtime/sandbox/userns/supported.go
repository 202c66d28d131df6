package userns

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Supported says whether this kernel can give every pod ids of its own: tmpfs, on which Secrets and tokens are, can be mapped
// since Linux 6.3.
var Supported = sync.OnceValue(func() error {
	if most, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || string(bytes.TrimSpace(most)) == "0" {
		return errors.New("the kernel has no user namespaces (user.max_user_namespaces)")
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("cannot read the version of the kernel: %w", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 3 {
		return fmt.Errorf("the kernel is %s, and this needs Linux 6.3", release)
	}
	return nil
})

// KnownToMap says of what is at path, or of the folder above it if there is nothing, whether its file system is one that
// Linux 6.3 can show with other owners, and its name.
func KnownToMap(path string) (name string, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "a file system that cannot be looked at", errors.Is(err, unix.ENOENT)
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return fileSystem(path), !onDevtmpfs(&st)
	}
	return fileSystem(path), false
}

// onDevtmpfs: it has the number of tmpfs, and not its abilities.
func onDevtmpfs(st *unix.Statfs_t) bool {
	var dev unix.Statfs_t
	return uint32(st.Type) == unix.TMPFS_MAGIC && unix.Statfs("/dev", &dev) == nil && dev.Fsid == st.Fsid
}

// MountBelow names a mount point that lies below path, "" if there is none. path has no symbolic links.
func MountBelow(path string) (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("cannot read the mounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`) // man 5 proc_pid_mountinfo
	prefix := escape.Replace(strings.TrimSuffix(path, "/") + "/")
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && fields[4] != "/" && strings.HasPrefix(fields[4], prefix) {
			return fields[4], nil
		}
	}
	return "", lines.Err()
}
