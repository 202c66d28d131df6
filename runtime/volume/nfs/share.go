// Package nfs mounts what NFS servers export, as mount.nfs does: it reads mount options, resolves names, and finds the version
// that a server speaks. The kernel does the rest, rpcbind and the mount protocol of version 3 included.
//
// A server may be away for as long as it likes, and a system call about its files with it. So whatever may wait for one is done
// by a process of its own, which can be killed or left behind, or by a goroutine that can be left behind.
package nfs

import (
	"net/netip"
	"strings"
)

// Share is a folder of a server, and how it is to be mounted.
type Share struct {
	Server   string   `json:"server"` // a name or an address
	Path     string   `json:"path"`
	ReadOnly bool     `json:"readOnly,omitempty"`
	Options  []string `json:"options,omitempty"` // as in fstab; each may hold several, with commas between
}

// OptionsAnnotation is where the options of a PersistentVolume were before there was a field; a kubelet still heeds it.
const OptionsAnnotation = "volume.beta.kubernetes.io/mount-options"

// MountOptions are those of a PersistentVolume, by its field or by the annotation, which goes before. kubernetes pkg/volume/util,
// MountOptionFromSpec
func MountOptions(field []string, annotations map[string]string) (list []string, annotated bool) {
	if text, ok := annotations[OptionsAnnotation]; ok {
		return []string{text}, true
	}
	return field, false
}

// Source is what the kernel and mount(8) call it.
func (s *Share) Source() string {
	server := strings.Trim(s.Server, "[]")
	if addr, err := netip.ParseAddr(server); err == nil && addr.Is6() {
		server = "[" + server + "]"
	}
	return server + ":" + s.Path
}
