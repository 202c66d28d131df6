package container

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// Mount is a part of a volume at its place in the container.
type Mount struct {
	Source      string // on the host
	Destination string
	ReadOnly    bool
	Recursive   bool     // what is mounted below is read-only too
	Options     []string // noexec, nodev, nosuid
	Propagation corev1.MountPropagationMode
	// Mapped: what the volume's files say is an id of the pod's own user namespace.
	Mapped bool
}

func (m *Mount) spec() specs.Mount {
	options := []string{"rbind", "rprivate"}
	switch m.Propagation {
	case corev1.MountPropagationHostToContainer:
		options[1] = "rslave"
	case corev1.MountPropagationBidirectional:
		options[1] = "rshared"
	case corev1.MountPropagationNone:
	}
	switch {
	case m.ReadOnly && m.Recursive:
		options = append(options, "rro")
	case m.ReadOnly:
		options = append(options, "ro")
	}
	if m.Mapped {
		options = append(options, "idmap") // as the container's user namespace has it; what is mounted below is not
	}
	return specs.Mount{Destination: place(m.Destination), Type: "bind", Source: m.Source, Options: append(options, m.Options...)}
}

// place is a mountPath as the kubelet takes it: from the container's root, whatever it says.
func place(destination string) string { return path.Join("/", destination) }

// overridden leaves out the mounts of every container that its volumes replace: those at the same place, and those in
// /dev if that is replaced.
func overridden(mounts []specs.Mount, volumes []Mount) []specs.Mount {
	return slices.DeleteFunc(mounts, func(m specs.Mount) bool {
		return slices.ContainsFunc(volumes, func(v Mount) bool {
			at := place(v.Destination)
			return at == m.Destination || at == "/dev" && strings.HasPrefix(m.Destination, "/dev/")
		})
	})
}

// placed are the sandbox's files and the volumes, those that hold others' places first.
func placed(c *Config) []specs.Mount {
	mounts := overridden(fileMounts(c), c.Mounts)
	for i := range c.Mounts {
		mounts = append(mounts, c.Mounts[i].spec())
	}
	sort.SliceStable(mounts, func(i, j int) bool { return depth(mounts[i].Destination) < depth(mounts[j].Destination) })
	return mounts
}

func depth(destination string) int { return strings.Count(place(destination), "/") }

// ExpandSubPath replaces the references of a subPathExpr by the container's variables; one that is not there is an error.
func (c *Config) ExpandSubPath(expr string) (string, error) {
	declared, missing := declaredEnv(c), ""
	out := Expand(expr, func(name string) (string, bool) {
		value, ok := declared.lookup(name)
		if !ok && missing == "" {
			missing = name
		}
		return value, ok
	})
	if missing != "" {
		return "", fmt.Errorf("missing value for %q", missing)
	}
	return out, nil
}

// CanReadOnlyRecursively says whether the kernel makes mounts read-only with all that is below them. man 2 mount_setattr
var CanReadOnlyRecursively = sync.OnceValue(func() bool { // Linux 5.12
	return !errors.Is(unix.MountSetattr(-1, "", 0, &unix.MountAttr{}), unix.ENOSYS)
})
