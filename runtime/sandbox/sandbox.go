// Package sandbox makes and removes what the containers of one pod share: namespaces, address, cgroup, user ids, and the
// files that podd mounts into each of them.
package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/cgroups"
	"podd/internal/beneath"
	"podd/netns"
	"podd/netns/namespace"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/manifest/resources"
	"podd/runtime/manifest/sysctl"
	"podd/runtime/state"
)

// What a pod may have: of shared memory as with other CRI runtimes, and of files that podd mounts into its containers. Those
// may write to some of them, and the folder is on /run, which is all of the machine's.
const (
	shmSize   = "size=65536k,mode=1777"
	filesSize = "size=16m,mode=0700"
)

// Manager makes and removes what the containers of a pod share.
type Manager struct {
	Paths         state.Paths
	Engine        *container.Engine
	Network       Network
	Cgroups       Cgroups
	Users         Users
	Levels        Levels
	ClusterDomain string // of the names of Services
	Executable    string // podd itself, whose pause command holds shared PID namespaces
	Log           *slog.Logger
}

// Network gives pods their addresses.
type Network interface {
	Attach(p netns.Pod) (netns.Attachment, error)
	Detach(id string) error
}

// Cgroups has the pods' cgroups.
type Cgroups interface {
	EnsurePod(uid, qos string, r cgroups.Resources) (path string, err error)
	PodPath(uid, qos string) (string, error)
	RemovePod(path string) error
	Warm()
}

// Image is what the decision about a pod's ids needs to know of one.
type Image struct {
	Name, User string
	HighestID  func() (uint32, error) // that a file of it belongs to
}

// Inputs are what a new sandbox depends on beside its pod.
type Inputs struct {
	PidsLimit   int64
	AutoUsers   bool    // give pods that do not say hostUsers ids of their own where that goes
	Images      []Image // of the pod, those that are on the board
	NFSClaim    string  // a volume whose claim is bound to an NFS server, "" if none is known to be
	NameServers NameServers
	// Handler is the runtime handler of a new sandbox, nil: none; or NoHandler says why there is none.
	Handler   *state.HandlerRecord
	NoHandler error
}

// Ensure makes what the containers of a pod share: namespaces, address, cgroup, files.
func (m *Manager) Ensure(rec *state.Record, in Inputs) (state.SandboxRecord, error) {
	if in.NoHandler != nil {
		return state.SandboxRecord{}, in.NoHandler
	}
	if err := m.giveUpUsers(rec); err != nil {
		return state.SandboxRecord{}, err
	}
	spec := &rec.Object.Spec
	rec.Sandbox.Handler = in.Handler
	if err := MakeLogFolder(m.Paths.PodLogs(rec)); err != nil {
		return state.SandboxRecord{}, fmt.Errorf("cannot make a folder for pod %q: %w", rec.Object.Name, err)
	}
	if err := ensureTmpfs(m.Paths.Sandbox(rec.UID), filesSize); err != nil {
		return state.SandboxRecord{}, err
	}
	path, err := m.Cgroups.EnsurePod(string(rec.UID), CgroupTier(spec), PodResources(spec, in.PidsLimit))
	if err != nil {
		return state.SandboxRecord{CgroupPath: path}, err
	}
	// The kernel makes the first move into a cgroup wait: it waits beside the work that comes now.
	go m.Cgroups.Warm()
	names, err := namesOf(rec.Object, m.ClusterDomain)
	if err != nil {
		return state.SandboxRecord{CgroupPath: path}, err
	}
	options := sandboxOptions(rec, names.kernel)
	if options.Users, err = m.acquireUsers(rec, in); err != nil {
		return state.SandboxRecord{CgroupPath: path}, err
	}
	if err := m.acquireLevel(rec); err != nil {
		return state.SandboxRecord{CgroupPath: path}, err
	}
	err = namespace.EnsureSandbox(m.Paths.Namespaces(rec.UID), options)
	if err == nil {
		err = m.checkUsers(rec)
	}
	if err != nil {
		if rec.Sandbox.GiveUp = whyNoNamespaces(rec, err); rec.Sandbox.GiveUp != "" {
			return m.Ensure(rec, in)
		}
		return state.SandboxRecord{CgroupPath: path}, err
	}
	out := state.SandboxRecord{CgroupPath: path, OwnUsers: rec.Sandbox.OwnUsers, HostUsers: rec.Sandbox.HostUsers, NoUsers: rec.Sandbox.NoUsers, Handler: in.Handler}
	if options.Net {
		attachment, err := m.Network.Attach(NetworkPod(m.Paths, rec))
		if err != nil {
			return state.SandboxRecord{CgroupPath: path}, err
		}
		out.IP = attachment.IP.String()
		if attachment.IP6.IsValid() {
			out.IP6 = attachment.IP6.String()
		}
	}
	resolv, _ := in.NameServers.ReachableBy(rec.Object, out.IP6).ForPod(rec.Object)
	out.Resolv = Digest(resolv.String())
	return out, m.ensureSandboxFiles(rec, names, resolv, out.PodIPs())
}

// sandboxOptions says which namespaces the pod has of its own. A pod in the host's network has the host's
// name too, as with every CRI runtime.
func sandboxOptions(rec *state.Record, hostname string) namespace.SandboxOptions {
	p := rec.Object
	o := namespace.SandboxOptions{
		Hostname: hostname,
		Net:      !p.Spec.HostNetwork,
		UTS:      !p.Spec.HostNetwork,
		IPC:      !p.Spec.HostIPC,
	}
	o.Sysctls = sysctlsOf(rec)
	return o
}

// sysctlsOf are those of the pod, and of its runtime handler where the pod has a namespace of its own for them and says
// nothing itself.
func sysctlsOf(rec *state.Record) map[string]string {
	all, own := map[string]string{}, map[string]bool{}
	if sc := rec.Object.Spec.SecurityContext; sc != nil {
		for _, s := range sc.Sysctls {
			all[s.Name], own[sysctl.Name(s.Name)] = s.Value, true
		}
	}
	if h := rec.Sandbox.Handler; h != nil {
		for name, value := range h.Sysctls {
			if !own[sysctl.Name(name)] && !sysctl.IsHosts(name, &rec.Object.Spec) {
				all[name] = value
			}
		}
	}
	return all
}

func CgroupTier(spec *corev1.PodSpec) string {
	switch resources.QOSClass(spec) {
	case corev1.PodQOSGuaranteed:
		return "guaranteed"
	case corev1.PodQOSBurstable:
		return "burstable"
	case corev1.PodQOSBestEffort:
	}
	return "besteffort"
}

func (m *Manager) ensureSandboxFiles(rec *state.Record, names podNames, resolv Resolver, ips []corev1.PodIP) error {
	dir, spec := m.Paths.Sandbox(rec.UID), &rec.Object.Spec
	hosts := hostsFile(spec, names, ips...)
	if spec.HostNetwork {
		hosts = hostNetworkHostsFile(spec, beneath.ReadHostFile("/etc/hosts"))
	}
	// The init of a pod with ids of its own binds these files by path, and asks the daemon for each that it does not find.
	if err := container.CloseToOthers(dir, m.usersOf(rec)); err != nil {
		return fmt.Errorf("cannot close the files of pod %q to others: %w", rec.Object.Name, err)
	}
	files := map[string]string{"hosts": hosts, "resolv.conf": resolv.String(), "hostname": m.hostnameOf(rec.Object) + "\n"}
	for name, text := range files {
		if err := beneath.WriteInPlace(filepath.Join(dir, name), text, 0o644, m.Engine.Damaged); err != nil {
			return fmt.Errorf("cannot write %s for pod %q: %w", name, rec.Object.Name, err)
		}
		if err := m.Chown(rec, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if spec.HostIPC {
		return nil
	}
	shm := filepath.Join(dir, "shm")
	if err := ensureTmpfs(shm, shmSize); err != nil {
		return err
	}
	return m.Chown(rec, shm)
}

func ensureTmpfs(dir, options string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	var at, up unix.Stat_t
	if err := errors.Join(unix.Lstat(dir, &at), unix.Lstat(filepath.Dir(dir), &up)); err != nil {
		return fmt.Errorf("cannot look at %s: %w", dir, err)
	}
	if at.Dev != up.Dev {
		return nil
	}
	if err := unix.Mount(filepath.Base(dir), dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
		return fmt.Errorf("cannot mount %s: %w", dir, err)
	}
	return nil
}

// Remove takes away everything that ensureSandbox makes but the logs; what is gone already counts
// as removed, and all of it is tried.
func (m *Manager) Remove(rec *state.Record) error {
	if SharesProcesses(rec.Object) {
		if err := m.Engine.Discard(PauseID(rec.UID)); err != nil {
			return err
		}
	}
	cgroup := func() error {
		// Not the record's: a sandbox that was never finished has none.
		path, err := m.Cgroups.PodPath(string(rec.UID), CgroupTier(&rec.Object.Spec))
		if err != nil {
			return err
		}
		return m.Cgroups.RemovePod(path)
	}
	return together(cgroup, func() error { return m.RemoveOf(rec.UID) })
}

// RemoveOf needs no record. The kernel makes each of its parts wait for a grace period of its own, so
// that they are taken away side by side.
func (m *Manager) RemoveOf(uid types.UID) error {
	return together(
		func() error { return m.Network.Detach(string(uid)) },
		func() error {
			if err := namespace.RemoveSandbox(m.Paths.Namespaces(uid)); err != nil {
				return err
			}
			return errors.Join(m.releaseUsers(uid), m.Levels.Release(string(uid)))
		},
		func() error { return removeShared(m.Paths.Sandbox(uid)) },
	)
}

// removeShared takes off the mount of a pod's files with that of its shared memory on it, as one.
func removeShared(dir string) error {
	for _, at := range []string{dir, filepath.Join(dir, "shm")} { // an earlier podd has mounted the latter alone
		if err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("cannot unmount %s: %w", at, err)
		}
	}
	return os.RemoveAll(dir)
}

// together runs the steps side by side and joins their errors.
func together(steps ...func() error) error {
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() { errs[i] = step() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// For is what a container of the pod joins.
func (m *Manager) For(rec *state.Record) spec.Sandbox {
	ns, dir := m.Paths.Namespaces(rec.UID), m.Paths.Sandbox(rec.UID)
	s := spec.Sandbox{
		CgroupPath: rec.Sandbox.CgroupPath,
		Hostname:   m.hostnameOf(rec.Object),
		HostsFile:  filepath.Join(dir, "hosts"), HostnameFile: filepath.Join(dir, "hostname"),
		ResolvFile: filepath.Join(dir, "resolv.conf"), ShmDir: filepath.Join(dir, "shm"),
	}
	o := sandboxOptions(rec, s.Hostname)
	if o.Net {
		s.NetNS = filepath.Join(ns, "net")
	}
	if o.IPC {
		s.IPCNS = filepath.Join(ns, "ipc")
	} else {
		s.ShmDir = "/dev/shm"
	}
	if o.UTS {
		s.UTSNS = filepath.Join(ns, "uts")
	}
	s.Users, s.Level = m.usersOf(rec), m.levelOf(rec)
	return s
}

// MakeLogFolder makes the folder of a pod's logs; what is there already must be a folder and no link.
func MakeLogFolder(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return err
	}
	dir, err := beneath.MakeFolder(filepath.Dir(path), 0o755, filepath.Base(path))
	if err != nil {
		return err
	}
	return dir.Close()
}
