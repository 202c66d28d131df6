package spec

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// Identity is whom the process runs as. Its ids have passed checkID.
type Identity struct {
	UID, GID int
	Groups   []int
}

// securityContext is what the pod's and the container's security contexts make together: the container's
// word counts where it has one.
type securityContext struct {
	runAsUser, runAsGroup *int64
	runAsNonRoot          *bool
	groups                []int64 // supplementalGroups and fsGroup
	strictGroups          bool    // supplementalGroupsPolicy: Strict
}

func mergeSecurityContext(pod *corev1.PodSecurityContext, c *corev1.SecurityContext) securityContext {
	var m securityContext
	if pod != nil {
		m = securityContext{runAsUser: pod.RunAsUser, runAsGroup: pod.RunAsGroup, runAsNonRoot: pod.RunAsNonRoot}
		m.groups = append(m.groups, pod.SupplementalGroups...)
		if pod.FSGroup != nil {
			m.groups = append(m.groups, *pod.FSGroup)
		}
		m.strictGroups = pod.SupplementalGroupsPolicy != nil && *pod.SupplementalGroupsPolicy == corev1.SupplementalGroupsPolicyStrict
	}
	if c == nil {
		return m
	}
	if c.RunAsUser != nil {
		m.runAsUser = c.RunAsUser
	}
	if c.RunAsGroup != nil {
		m.runAsGroup = c.RunAsGroup
	}
	if c.RunAsNonRoot != nil {
		m.runAsNonRoot = c.RunAsNonRoot
	}
	return m
}

// ResolveIdentity finds uid, gid and groups from the security contexts, the image's USER and the image's
// own /etc/passwd and /etc/group, which are read below root and nowhere else.
func ResolveIdentity(c *Config, root string) (Identity, error) {
	sc := mergeSecurityContext(c.Pod.Spec.SecurityContext, c.Container.SecurityContext)
	if err := checkNonRoot(c, sc); err != nil {
		return Identity{}, err
	}
	id, err := lookupIdentity(c.Image.User, sc, root)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: container %q: %w", ErrConfig, c.Container.Name, err)
	}
	if sc.runAsNonRoot != nil && *sc.runAsNonRoot && id.UID == 0 {
		return Identity{}, nonRootError(c, "container has runAsNonRoot and image will run as root")
	}
	return id, nil
}

// lookupIdentity: the security context's numbers count before what the image says. The primary group is one of the
// supplementary ones too, whatever the policy: a process that gave it up could else open what denies that group
// (CVE-2022-2989, CVE-2023-25173).
func lookupIdentity(imageUser string, sc securityContext, root string) (Identity, error) {
	account, err := lookupAccount(userSpec(imageUser, sc), root)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{UID: account.uid, GID: account.gid}
	if sc.runAsGroup != nil {
		if id.GID, err = checkID("runAsGroup", *sc.runAsGroup); err != nil {
			return Identity{}, err
		}
	}
	id.addGroup(id.GID)
	if !sc.strictGroups {
		for _, g := range account.groups {
			id.addGroup(g)
		}
	}
	for _, g := range sc.groups {
		gid, err := checkID("supplementalGroups or fsGroup", g)
		if err != nil {
			return Identity{}, err
		}
		id.addGroup(gid)
	}
	return id, nil
}

// AddDeviceGroups adds the groups that the nodes of a container's devices are for, so that a user who is not root can open
// them. supplementalGroupsPolicy: Strict means those of the manifest and no others.
func (id *Identity) AddDeviceGroups(c *Config, groups []int) {
	if mergeSecurityContext(c.Pod.Spec.SecurityContext, nil).strictGroups {
		return
	}
	for _, gid := range groups {
		if u := c.Sandbox.Users; u == nil || gid < u.Count {
			id.addGroup(gid)
		}
	}
}

// AddGroups adds groups.
func (id *Identity) AddGroups(gids []int) {
	for _, gid := range gids {
		id.addGroup(gid)
	}
}

func (id *Identity) addGroup(gid int) {
	if !slices.Contains(id.Groups, gid) {
		id.Groups = append(id.Groups, gid)
	}
}

// userSpec is the USER[:GROUP] to look up. A runAsUser puts aside the image's user and its group both.
func userSpec(image string, sc securityContext) string {
	if sc.runAsUser != nil {
		return strconv.FormatInt(*sc.runAsUser, 10)
	}
	return image
}

// checkNonRoot refuses what the kubelet refuses before a container is made: a name says nothing about its
// number, and the number is what runAsNonRoot is about.
func checkNonRoot(c *Config, sc securityContext) error {
	if sc.runAsNonRoot == nil || !*sc.runAsNonRoot {
		return nil
	}
	if sc.runAsUser != nil {
		if *sc.runAsUser == 0 {
			return nonRootError(c, "container's runAsUser breaks non-root policy")
		}
		return nil
	}
	name, _, _ := strings.Cut(c.Image.User, ":")
	if name == "" {
		return nonRootError(c, "container has runAsNonRoot and image will run as root")
	}
	if !isNumber(name) {
		return nonRootError(c, fmt.Sprintf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root", name))
	}
	return nil
}

// nonRootError has the kubelet's words (kubernetes pkg/kubelet/kuberuntime, verifyRunAsNonRoot).
func nonRootError(c *Config, why string) error {
	return fmt.Errorf("%w: %s (pod: \"%s_%s(%s)\", container: %s)", ErrConfig, why, c.Pod.Name, c.Pod.Namespace, c.Pod.UID, c.Container.Name)
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}

// openInRoot opens a file of the image with symbolic links resolved as the container would see them; what is missing or not
// a file is nil. It is looked at before it is opened: to open a device does something, and the container, which may make any
// but open none of them, must not have podd do it.
func openInRoot(root, name string) (*os.File, error) {
	handle, err := findInRoot(root, name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s of the image: %w", name, err)
	}
	defer closeFile(handle)
	if info, err := handle.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	// At once: a container may have a lease on it. man 2 fcntl, F_SETLEASE
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(handle.Fd())), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s of the image: %w", name, err)
	}
	return f, nil
}

// findInRoot makes a handle of O_PATH. man 2 openat2, RESOLVE_IN_ROOT.
func findInRoot(root, name string) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open root %s: %w", root, err)
	}
	defer func() { _ = unix.Close(dir) }()
	const tries = 100 // EAGAIN: a rename came between
	for range tries {
		var fd int
		fd, err = unix.Openat2(dir, name, &unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return nil, err
}
