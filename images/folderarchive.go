package images

import (
	"io"
	"os"
)

// folderArchive is an OCI layout that lies unpacked in a folder. os.Root keeps its links inside.
type folderArchive struct{ root *os.Root }

func (a *folderArchive) open(name string) (io.ReadCloser, error) { return a.root.Open(name) }
func (a *folderArchive) whole() bool                             { return true }
