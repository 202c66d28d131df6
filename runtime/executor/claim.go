package executor

import (
	"fmt"
	"os"

	"podd/runtime/volume"
	"podd/runtime/volume/nfs"
)

// ClaimFolder is what a pod's operation may do with a claim.
type ClaimFolder struct {
	Dir    string // holds the folder; "" for a folder of the host
	Folder string
	Size   int64
	Share  *nfs.Share // instead of a folder
	Err    error
}

// ensure makes the folder of a claim at its first use, and names it. Of NFS it is what the server calls it.
func (a ClaimFolder) ensure() (string, error) {
	if a.Err != nil {
		return "", a.Err
	}
	if a.Share != nil {
		return a.Share.Source(), nil
	}
	if a.Dir == "" {
		if info, err := os.Stat(a.Folder); err != nil || !info.IsDir() {
			return "", fmt.Errorf("path %q does not exist", a.Folder)
		}
		return a.Folder, nil
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the folder of claims: %w", err)
	}
	return a.Folder, volume.EnsureFolder(a.Folder, a.Size)
}
