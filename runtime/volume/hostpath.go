package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ensureHostPath checks that the host has what the type says, or makes it. The sentences are the kubelet's.
// https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types
func ensureHostPath(h *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if h.Type != nil {
		kind = *h.Type
	}
	if err := makeHostPath(h.Path, kind); err != nil {
		return err
	}
	if kind == corev1.HostPathUnset {
		return nil
	}
	info, err := os.Stat(h.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("hostPath type check failed: %w", err)
	}
	fits, what := hostPathFits(kind, info)
	if isDevice := kind == corev1.HostPathCharDev || kind == corev1.HostPathBlockDev; isDevice && err != nil && inDev(h.Path) {
		return fmt.Errorf("hostPath type check failed: %s is not a %s: nothing of this name is there; plug it in, or correct the path", h.Path, what)
	}
	if !fits {
		return fmt.Errorf("hostPath type check failed: %s is not a %s", h.Path, what)
	}
	return nil
}

// inDev: what is not there may be plugged in.
func inDev(path string) bool { return strings.HasPrefix(filepath.Clean(path), "/dev/") }

// makeHostPath makes what is missing. Without a type, container runtimes make a folder.
func makeHostPath(path string, kind corev1.HostPathType) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if kind == corev1.HostPathUnset && inDev(path) {
		// A folder in its place would keep the device out when it comes.
		return fmt.Errorf("device %s is not there", path)
	}
	var err error
	switch kind {
	case corev1.HostPathUnset, corev1.HostPathDirectoryOrCreate:
		err = os.MkdirAll(path, 0o755)
	case corev1.HostPathFileOrCreate:
		var f *os.File
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
			err = f.Close()
		}
	case corev1.HostPathDirectory, corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev:
	}
	if err != nil {
		return fmt.Errorf("cannot make the hostPath: %w", err)
	}
	return nil
}

// hostPathFits judges what is there, nil if nothing is.
func hostPathFits(kind corev1.HostPathType, info os.FileInfo) (fits bool, what string) {
	is := func(test func(os.FileMode) bool) bool { return info != nil && test(info.Mode()) }
	switch kind {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		return is(os.FileMode.IsDir), "directory"
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		return is(os.FileMode.IsRegular), "file"
	case corev1.HostPathSocket:
		return is(func(m os.FileMode) bool { return m&os.ModeSocket != 0 }), "socket file"
	case corev1.HostPathCharDev:
		return is(func(m os.FileMode) bool { return m&os.ModeCharDevice != 0 }), "character device"
	case corev1.HostPathBlockDev:
		return is(func(m os.FileMode) bool { return m&os.ModeDevice != 0 && m&os.ModeCharDevice == 0 }), "block device"
	case corev1.HostPathUnset:
	}
	return true, ""
}
