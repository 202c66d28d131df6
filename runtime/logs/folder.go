package logs

import (
	"io/fs"
	"os"
	"path/filepath"

	"podd/internal/beneath"
)

// openFolder opens the folder of a container's logs, .../<pod>/<container>. A pod that has the logs mounted may have put
// anything in the place of it, of the pod's folder and of the files: none of them is followed, and only regular files are
// read, written, compressed or removed. Where all logs are is the operator's and may be a link.
func openFolder(dir string) (*os.Root, error) {
	pod := filepath.Dir(dir)
	return beneath.Folder(filepath.Dir(pod), filepath.Base(pod), filepath.Base(dir))
}

// makeFolder is openFolder that makes what is missing.
func makeFolder(dir string) (*os.Root, error) {
	pod := filepath.Dir(dir)
	root := filepath.Dir(pod)
	if err := os.MkdirAll(root, folderMode); err != nil {
		return nil, err
	}
	return beneath.MakeFolder(root, folderMode, filepath.Base(pod), filepath.Base(dir))
}

const (
	folderMode fs.FileMode = 0o755
	fileMode   fs.FileMode = 0o640
)
