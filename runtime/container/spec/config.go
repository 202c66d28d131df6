// Package spec says what a container is to be: it makes the OCI runtime configuration (Build) of a Pod's container, its
// image and what the pod's containers share (Config).
//
// It starts nothing and asks the kernel only what it can do. Whom a container runs as is read from the image's own
// /etc/passwd and /etc/group (ResolveIdentity), which are a stranger's: below its root and nowhere else.
package spec

import (
	"errors"
	"fmt"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/rlimit"
)

// Image is what a container needs to know of its image.
type Image struct {
	ID         string
	User       string
	WorkingDir string
	StopSignal string
	Entrypoint []string
	Cmd        []string
	Env        []string
	Layers     []string // unpacked folders, lowest first
}

// Sandbox is what the containers of a pod share. An empty namespace path means the host's own.
type Sandbox struct {
	NetNS, IPCNS, UTSNS, PIDNS string
	// Users is the pod's user namespace, nil if its ids are the machine's.
	Users *Users
	// Level is the pod's SELinux level, "" where it has none.
	Level      string
	CgroupPath string // of the pod, relative to the cgroup root
	Hostname   string
	// Files on the host that are mounted at fixed places; an empty one is left out.
	HostsFile, HostnameFile, ResolvFile, ShmDir string
}

// Config says everything about one attempt of one container.
type Config struct {
	ID        string // names the state folder, the root and the cgroup
	Pod       *corev1.Pod
	Container *corev1.Container
	Image     Image
	Sandbox   Sandbox
	// PoddsOwn says that it runs podd itself, as which it keeps the SELinux label of the daemon: policies let containers run no
	// programs of the machine.
	PoddsOwn bool
	// Env is the environment that the manifest declares, resolved, for a container that refers to more than its
	// manifest; nil: it is all in the manifest.
	Env []corev1.EnvVar
	// Files are more files of the host to mount, read-only, by their place in the container.
	Files map[string]string
	// Mounts are the container's volumes.
	Mounts []Mount
	// Devices are devices of the host, and folders of them.
	Devices []Device
	// Hooks are run as OCI's; AdditionalGIDs are more groups of the container's user. They come from CDI specs.
	Hooks          []Hook
	AdditionalGIDs []int
	// TerminationLog is the host's file behind terminationMessagePath.
	TerminationLog string
	// OOMGroup lets the OOM killer end all of the container at once, as the kubelet has it on cgroup v2.
	OOMGroup bool
	// CgroupNS shows the container its own cgroup as the root, at /sys/fs/cgroup and in /proc/self/cgroup, as container
	// runtimes have it on cgroup v2 for all but privileged containers.
	CgroupNS bool
	// StartedAs is whom the container runs as, known for one that runs; commands in it run as the same.
	StartedAs *User
	// Rlimits are limits that differ from podd's own.
	Rlimits []rlimit.Limit
	// SeccompDefault confines containers whose pods name no seccomp profile by the runtime's.
	SeccompDefault bool
	// SeccompPreset and AppArmorPreset are those of the pod's runtime handler, for containers that name none; nil: the node's.
	SeccompPreset  *corev1.SeccompProfile
	AppArmorPreset *corev1.AppArmorProfile
	// NoNewPrivileges keeps containers whose pods do not say allowPrivilegeEscalation from gaining privileges.
	NoNewPrivileges bool
	// HugePages are the limits of huge pages in bytes, by their size as the kernel writes it (2MB); nil: they are not limited.
	HugePages map[string]uint64
	// OOMScoreAdj is relative to the kernel's badness; nil leaves the daemon's own.
	OOMScoreAdj *int
}

// Device is a device of the host, or a folder of devices, at its place in the container.
type Device struct {
	Source      string `json:"source"` // on the host: the device, a link to it, or the folder
	Destination string `json:"destination"`
	Access      string `json:"access"` // of r, w, m
	// Unit is the unit of a resource that it was allocated as; "": it is where the manifest says.
	Unit string `json:"unit,omitempty"`
	// UID, GID and Mode are those of the node, nil: as on the host.
	UID  *uint32      `json:"uid,omitempty"`
	GID  *uint32      `json:"gid,omitempty"`
	Mode *os.FileMode `json:"mode,omitempty"`
}

// Hook is a program of the host.
type Hook struct {
	Stage     string // prestart, createRuntime, createContainer, startContainer, poststart, poststop
	Path      string
	Args, Env []string
	Timeout   *int // seconds
}

// User is whom a process runs as.
type User struct {
	UID, GID int64
	Groups   []int64
}

// ErrConfig marks what a new try cannot cure: the manifest and the image do not fit together.
// Kubernetes calls the waiting reason CreateContainerConfigError.
var ErrConfig = errors.New("container cannot be configured")

// Users are the ids of a pod with a user namespace of its own: its user and group 0 are First on the machine.
type Users struct {
	NS           string // path of the user namespace
	First, Count int
}

// Host is the id on the machine of one of the pod's own; what the pod has none for is its root's.
func (u *Users) Host(id int) int {
	if id < 0 || id >= u.Count {
		return u.First
	}
	return u.First + id
}

// BeyondError says that something has an id that is not within a pod's own. It is an ErrConfig.
type BeyondError struct {
	What     string
	ID, Last int
}

// Error is one sentence with the remedy.
func (e *BeyondError) Error() string {
	return fmt.Sprintf("%v: %s is to run as user or group %d, and a pod with a user namespace of its own has those from 0 to %d; set hostUsers: true", ErrConfig, e.What, e.ID, e.Last)
}

func (e *BeyondError) Unwrap() error { return ErrConfig }

// Check refuses users and groups that the pod does not have; libcontainer would only say that an argument is invalid.
func (u *Users) Check(c *Config, who Identity) error {
	if u == nil {
		return nil
	}
	if u.First == 0 { // never the machine's own
		return fmt.Errorf("%w: whose the pod's range of ids is has been lost; end the pod with podd delete pod, and it starts with another", ErrConfig)
	}
	for _, id := range slices.Concat([]int{who.UID, who.GID}, who.Groups) {
		if id >= u.Count {
			return &BeyondError{What: fmt.Sprintf("container %q", c.Container.Name), ID: id, Last: u.Count - 1}
		}
	}
	return nil
}
