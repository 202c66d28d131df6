package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podd/internal/atomicfile"
)

// ensureFile makes an empty file. What stands in its place and is no file is set aside: nothing is kept in it.
func ensureFile(path string, mode os.FileMode) error {
	f, err := atomicfile.Open(path)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, os.ErrNotExist) {
		if damage := (*atomicfile.Damage)(nil); !errors.As(atomicfile.SetAside(path, err), &damage) || damage.Aside == "" {
			return err
		}
	}
	return atomicfile.Write(path, nil, mode)
}

// EnsureFileLayer makes a layer of one empty program, to mount another on it.
func EnsureFileLayer(dir, program string) error {
	return errors.Join(atomicfile.EnsureDir(dir, 0o755, nil, ""), ensureFile(filepath.Join(dir, program), 0o755))
}

// EnsureBaseLayer makes the layer of mount points. An image's own files of these names hide it.
func EnsureBaseLayer(dir string) error {
	var errs []error
	for _, sub := range []string{"proc", "sys", "dev", "etc"} {
		errs = append(errs, atomicfile.EnsureDir(filepath.Join(dir, sub), 0o755, nil, ""))
	}
	for _, name := range []string{"etc/hosts", "etc/hostname", "etc/resolv.conf"} {
		errs = append(errs, ensureFile(filepath.Join(dir, name), 0o644))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make the layer of mount points: %w", err)
	}
	return nil
}
