package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// EnsureBaseLayer makes the layer of mount points. An image's own files of these names hide it.
func EnsureBaseLayer(dir string) error {
	var errs []error
	for _, sub := range []string{"proc", "sys", "dev", "etc"} {
		errs = append(errs, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	for _, name := range []string{"etc/hosts", "etc/hostname", "etc/resolv.conf"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDONLY, 0o644)
		if err == nil {
			err = f.Close()
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make the layer of mount points: %w", err)
	}
	return nil
}
