package manifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links the kernel follows in one path (man 7 path_resolution).
const maxLinks = 40

// linkDirs follows the symbolic links on the way to path and returns the folders that hold one of them, or the file
// at the end: in each a rename can change what path means. The folder of path itself is left out. A path without
// links has none.
func linkDirs(path string) []string {
	var dirs []string
	resolved, rest := "/", path
	if !filepath.IsAbs(path) {
		resolved = "."
	}
	for links := 0; rest != "" && links <= maxLinks; {
		var step string
		step, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if step == "" {
			break
		}
		at := filepath.Join(resolved, step)
		target, err := os.Readlink(at)
		if err != nil {
			if rest == "" && links > 0 {
				dirs = append(dirs, resolved)
			}
			resolved = at
			continue
		}
		links++
		dirs = append(dirs, resolved)
		if filepath.IsAbs(target) {
			resolved = "/"
		}
		rest = strings.Trim(target+"/"+rest, "/")
	}
	own := filepath.Dir(path)
	slices.Sort(dirs)
	return slices.DeleteFunc(slices.Compact(dirs), func(dir string) bool { return dir == own })
}
