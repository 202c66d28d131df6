package imagetest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/xattr"
)

// DescribeTree lists a tree: kind and mode, owner, links, size, time, attributes, name and target.
func DescribeTree(t testing.TB, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		size := ""
		extra := ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			size = fmt.Sprintf(" %d bytes", st.Size)
			if st.Blocks*512 < st.Size {
				extra += " sparse"
			}
			if st.Nlink > 1 {
				extra += fmt.Sprintf(" links=%d", st.Nlink)
			}
		case unix.S_IFCHR:
			extra += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFLNK:
			target, _ := os.Readlink(path)
			extra += " -> " + target
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			x, err := xattr.Read(path)
			if err != nil {
				return err
			}
			var names []string
			for name, value := range x {
				names = append(names, fmt.Sprintf(" %s=%q", name, value))
			}
			slices.Sort(names)
			extra += strings.Join(names, "")
		}
		when := time.Unix(st.Mtim.Unix()).UTC().Format("2006-01-02T15:04:05.999999999")
		if st.Mode&unix.S_IFMT == unix.S_IFCHR {
			when = "-" // a whiteout has no time of its own
		}
		fmt.Fprintf(&out, "%06o %d:%d %s%s %s%s\n", st.Mode, st.Uid, st.Gid, when, size, rel, extra)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
