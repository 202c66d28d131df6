package board

import (
	"fmt"
	"os"
	"strings"
)

// searched are the folders of programs in the order in which a shell of root looks into them, by Debian's PATH.
var searched = [...]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Programs looks for more than one podd among the machine's programs: the first is whom a shell runs, and the unit of a
// package may run another. Links to one file are one. The daemon does not ask, for its pods run whoever is first.
func (m *Machine) Programs() []Finding {
	var paths []string
	var files []os.FileInfo
next:
	for _, dir := range searched {
		path := dir + "/podd"
		st, err := os.Stat(m.path(path))
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
			continue
		}
		for _, f := range files {
			if os.SameFile(f, st) {
				continue next
			}
		}
		paths, files = append(paths, path), append(files, st)
	}
	if len(paths) < 2 {
		return nil
	}
	others := strings.Join(paths[1:], " and ")
	return one("program", Warn, fmt.Sprintf("there is more than one podd: a shell runs %s, and the unit of a package may run %s", paths[0], others),
		fmt.Sprintf("podd version tells whether client and server are one; remove %s, or what is not wanted", paths[0]))
}
