package userns

import (
	"fmt"
	"os"
	"path/filepath"
)

// Reachable says whether somebody who is nobody on this machine, as a pod's root is, may pass all folders on the way to
// dir and dir itself.
func Reachable(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("cannot look at a folder: %w", err)
		}
		if mode := info.Mode().Perm(); mode&0o001 == 0 {
			return fmt.Errorf("a pod's own root may not pass the folder %s, whose mode is %#o: give it to others to pass (chmod o+x %s)", at, mode, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
