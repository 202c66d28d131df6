package machine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Guest is a root file system and the kernels that it can be booted with, as hack/guest.sh makes them.
type Guest struct {
	Arch string // Debian's name: amd64, arm64, armhf
	dir  string
}

// OpenGuest makes the guest or finds it in the cache. repo is the root of the clone.
func OpenGuest(repo, arch string) (*Guest, error) {
	var errs bytes.Buffer
	command := exec.Command(filepath.Join(repo, "hack/guest.sh"), arch)
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot make a guest: %w\n%s", err, errs.String())
	}
	return &Guest{Arch: arch, dir: strings.TrimSpace(string(out))}, nil
}

func (g *Guest) file(name string) string { return filepath.Join(g.dir, name) }

// Release is a kernel's uname -r.
func (g *Guest) Release(kernel string) string {
	data, _ := os.ReadFile(g.file("release-" + kernel))
	return strings.TrimSpace(string(data))
}

// DataDisk makes the second disk out of a folder; machines mount it read-only at /data.
func DataDisk(folder, file string) error {
	var size int64
	err := filepath.Walk(folder, func(_ string, info os.FileInfo, err error) error {
		if err == nil {
			size += info.Size() + 8192
		}
		return err
	})
	if err != nil {
		return err
	}
	megabytes := size>>20*11/10 + 16
	command := exec.Command("mkfs.ext4", "-q", "-F", "-L", "podd-data", "-O", "^has_journal", "-m", "0", "-d", folder, file, fmt.Sprintf("%dM", megabytes))
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the data disk: %w\n%s", err, out)
	}
	return nil
}
