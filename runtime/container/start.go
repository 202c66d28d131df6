package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runc/libcontainer/utils"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
	_ "podd/runtime/container/devicerules" // libcontainer's cgroup managers call it
	"podd/runtime/container/rlimit"
	"podd/runtime/container/spec"
)

// Process is the first process of a container.
type Process struct {
	PID       int
	StartTime uint64   // clock ticks since boot: /proc/PID/stat, field 22
	PIDFD     *os.File // readable once the process is dead
	User      spec.User
	Terminal  *os.File // the host's side of the terminal, nil without one
}

// Start makes the container and runs its command. The FIFOs must be there (OpenStdio). hold, unless it is nil, gets the
// process and its descriptors before the command begins: whoever keeps them knows how it ends, however soon. After an
// error nothing runs, and Remove takes away what is left.
func (e *Engine) Start(c *spec.Config, hold func(*Process) error) (*Process, error) {
	labels, err := e.labels(c)
	if err != nil {
		return nil, err
	}
	root, err := e.ensureRoot(c, labels.Mount)
	if err != nil {
		return nil, err
	}
	who, err := spec.ResolveIdentity(c, root)
	if err != nil {
		return nil, err
	}
	groups, err := e.deviceNodes().makeDevices(c, labels.Mount)
	if err != nil {
		return nil, err
	}
	who.AddDeviceGroups(c, groups)
	who.AddGroups(c.AdditionalGIDs)
	if err := spec.CheckPropagation(c.Mounts); err != nil {
		return nil, err
	}
	if err := c.Sandbox.Users.Check(c, who); err != nil {
		return nil, err
	}
	ociSpec, err := spec.Build(c, who, root)
	if err != nil {
		return nil, err
	}
	if err := e.Views.useCgroups(filepath.Join(e.MountDir, c.ID), c, ociSpec); err != nil {
		return nil, err
	}
	if ociSpec.Process.ApparmorProfile, err = e.Modules.Profile(c.Pod, c.Container, c.AppArmorPreset); err != nil {
		return nil, err
	}
	ociSpec.Process.SelinuxLabel, ociSpec.Linux.MountLabel = labels.Process, labels.Mount
	p := newProcess(ociSpec)
	p.Init = true
	confined, err := e.confine(c, ociSpec, p)
	if err != nil {
		return nil, err
	}
	defer closeFiles(p.ExtraFiles)
	if confined && labels.Mount == "" {
		if err := e.Views.useDev(filepath.Join(e.MountDir, c.ID), c, ociSpec); err != nil {
			return nil, err
		}
	}
	lc, err := e.create(c, ociSpec)
	if err != nil {
		return nil, err
	}
	started, err := e.startInit(c, who, lc, p)
	if err == nil && len(c.Devices) > 0 {
		_, err = e.SyncDevices(c.ID, nil, true)
	}
	if err == nil {
		err = e.releaseInit(c, lc, started, hold)
	}
	if err == nil && confined {
		err = checkConfined(started)
	}
	if err != nil {
		// Its process may run all the same: what failed can have come after.
		return nil, errors.Join(err, e.Kill(c.ID))
	}
	return started, nil
}

// startInit brings a container to where nothing but the word to begin is missing.
func (e *Engine) startInit(c *spec.Config, who spec.Identity, lc *libcontainer.Container, p *libcontainer.Process) (*Process, error) {
	var terminal *os.File
	var err error
	if c.Container.TTY {
		terminal, err = onTerminal(lc.Start, p)
	} else {
		err = e.initOnPipes(c, who, lc, p)
	}
	if err != nil {
		return nil, cannotStart(c, lc, err)
	}
	started, err := e.started(c.ID, lc, who)
	if err != nil {
		closeFile(terminal)
		return nil, err
	}
	started.Terminal = terminal
	e.inits.Store(c.ID, started.PID)
	return started, nil
}

// releaseInit lets the init execute the command (the exec fifo).
// Descriptors that nobody holds are closed if there is nothing to begin any more.
func (e *Engine) releaseInit(c *spec.Config, lc *libcontainer.Container, started *Process, hold func(*Process) error) error {
	if hold != nil {
		if err := hold(started); err != nil {
			return err
		}
	}
	if err := lc.Exec(); err != nil {
		if hold == nil {
			closeFile(started.PIDFD)
			closeFile(started.Terminal)
		}
		return cannotStart(c, lc, err)
	}
	return nil
}

func cannotStart(c *spec.Config, lc *libcontainer.Container, err error) error {
	if full := processesError(err, cgroupDirs(lc)); full != nil {
		err = fmt.Errorf("its pod cannot have another process: %w", full)
	}
	return &runError{fmt.Errorf("cannot start container %q: %w", c.Container.Name, err)}
}

func (e *Engine) create(c *spec.Config, ociSpec *specs.Spec) (*libcontainer.Container, error) {
	config, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{
		CgroupName: c.ID,
		// Its init has one already (inherit.go).
		NoNewKeyring: true,
		Spec:         ociSpec,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: container %s: %w", spec.ErrConfig, c.ID, err)
	}
	if config.RootPropagation == 0 {
		// The container must not see mounts that the host makes later, nor the host the container's.
		config.RootPropagation = unix.MS_PRIVATE | unix.MS_REC
		leavePrivate(config.Mounts)
	}
	if err := e.writeBundle(c, ociSpec, config); err != nil {
		return nil, err
	}
	joinUsers(c.Sandbox.Users, config)
	denyTun(config, c)
	// specconv leaves these to its caller. Commands that run in the container later have its profile, too.
	config.Rlimits = processRlimits(c.Rlimits)
	config.AppArmorProfile = ociSpec.Process.ApparmorProfile
	lc, err := libcontainer.Create(e.StateDir, c.ID, config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot create container %s: %w", c.ID, err), killStrays(config.Cgroups))
	}
	return lc, nil
}

// leavePrivate leaves out that mounts are to be made private: where the whole tree is, what is mounted in it is born so. It
// would take libcontainer fifty system calls for each.
func leavePrivate(mounts []*configs.Mount) {
	for _, m := range mounts {
		if slices.Equal(m.PropagationFlags, []int{unix.MS_PRIVATE | unix.MS_REC}) {
			m.PropagationFlags = nil
		}
	}
}

// killStrays ends what runs in the cgroup of a container that could not be created: an attempt of which all records are
// lost. The next try finds the cgroup empty.
func killStrays(config *cgroups.Cgroup) error {
	m, err := manager.New(config)
	if err != nil {
		return fmt.Errorf("cannot look into cgroup %s: %w", config.Path, err)
	}
	pids, err := m.GetAllPids()
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot look into cgroup %s: %w", config.Path, err)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cannot end process %d in cgroup %s: %w", pid, config.Path, err)
		}
	}
	return nil
}

func (e *Engine) initOnPipes(c *spec.Config, who spec.Identity, lc *libcontainer.Container, p *libcontainer.Process) error {
	stdin, err := e.openStdin(c)
	if err != nil {
		return err
	}
	defer closeFile(stdin)
	stdout, err := e.Pipes(c.ID).openContainerEnd(stdoutFIFO)
	if err != nil {
		return err
	}
	defer closeFile(stdout)
	stderr, err := e.Pipes(c.ID).openContainerEnd(stderrFIFO)
	if err != nil {
		return err
	}
	defer closeFile(stderr)
	if err := chownToPod(c.Sandbox.Users, who, stdin, stdout, stderr); err != nil {
		return err
	}
	if err := labelPipes(lc.Config().MountLabel, stdin, stdout, stderr); err != nil {
		return err
	}
	p.Stdin, p.Stdout, p.Stderr = stdin, stdout, stderr
	return lc.Start(p)
}

// openStdin is at its end at once, or, for a container that asks for stdin, a FIFO: it waits while nobody is attached. One
// that has stdinOnce reads the end of it once nobody can write any more, another never does, because it could write itself.
func (e *Engine) openStdin(c *spec.Config) (*os.File, error) {
	if c.Container.Stdin && c.Container.StdinOnce {
		return e.Pipes(c.ID).openEndingEnd()
	}
	if c.Container.Stdin {
		return e.Pipes(c.ID).openContainerEnd(stdinFIFO)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	return f, nil
}

// onTerminal starts the process on a new terminal and returns the host's side of it.
func onTerminal(start func(*libcontainer.Process) error, p *libcontainer.Process) (*os.File, error) {
	parent, child, err := utils.NewSockPair("console")
	if err != nil {
		return nil, fmt.Errorf("cannot make a terminal: %w", err)
	}
	defer closeFile(parent)
	p.ConsoleSocket = child
	err = start(p)
	closeFile(child)
	if err != nil {
		return nil, err
	}
	terminal, err := receiveFile(parent)
	if err != nil {
		return nil, fmt.Errorf("cannot get the terminal: %w", err)
	}
	return terminal, nil
}

// receiveFile takes one descriptor from a socket. man 7 unix, SCM_RIGHTS.
func receiveFile(socket *os.File) (*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	name := make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(int(socket.Fd()), name, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot receive a descriptor: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("cannot receive a descriptor: %d messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("cannot receive a descriptor: %d of them: %w", len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), string(name[:n])), nil
}

// started reads who runs now. The process is our child and not yet waited for, so its PID is still its own.
func (e *Engine) started(id string, lc *libcontainer.Container, who spec.Identity) (*Process, error) {
	state, err := lc.State()
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of container %s: %w", id, err)
	}
	fd, err := unix.PidfdOpen(state.InitProcessPid, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open a pidfd for container %s: %w", id, err)
	}
	if err := e.stateFiles().copyState(id); err != nil {
		return nil, err
	}
	e.fresh.Store(id, state.InitProcessPid)
	return &Process{
		PID: state.InitProcessPid, StartTime: state.InitProcessStartTime, PIDFD: os.NewFile(uintptr(fd), "pidfd"),
		User: spec.User{UID: int64(who.UID), GID: int64(who.GID), Groups: int64s(who.Groups)},
	}, nil
}

func int64s(in []int) []int64 {
	out := make([]int64, len(in))
	for i, v := range in {
		out[i] = int64(v)
	}
	return out
}

// warnings is logrus' level of what a container's init tells the daemon. Without one it tells all, line by line, and each
// is formatted, sent and parsed to be thrown away.
const warnings = "3"

func newProcess(ociSpec *specs.Spec) *libcontainer.Process {
	sp := ociSpec.Process
	p := &libcontainer.Process{
		Args: sp.Args, Env: sp.Env, Cwd: sp.Cwd,
		UID: int(sp.User.UID), GID: int(sp.User.GID),
		NoNewPrivileges: &sp.NoNewPrivileges,
		LogLevel:        warnings,
		Capabilities: &configs.Capabilities{
			Bounding: sp.Capabilities.Bounding, Effective: sp.Capabilities.Effective, Permitted: sp.Capabilities.Permitted,
		},
	}
	for _, g := range sp.User.AdditionalGids {
		p.AdditionalGroups = append(p.AdditionalGroups, int(g))
	}
	return p
}

// tun makes network interfaces. Of the devices that libcontainer lets every container open, it is the one that is not there:
// a container would make the node itself, with MKNOD.
const (
	tunPath  = "/dev/net/tun"
	tunMajor = 10
	tunMinor = 200
)

// denyTun leaves the device to the containers whose manifest mounts it, or a folder that it is in, from the host.
func denyTun(config *configs.Config, c *spec.Config) {
	mounted := slices.ContainsFunc(c.Pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.HostPath != nil && strings.HasPrefix(tunPath+"/", strings.TrimSuffix(path.Clean(v.HostPath.Path), "/")+"/") &&
			slices.ContainsFunc(c.Container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
	})
	if mounted {
		return
	}
	r := config.Cgroups.Resources
	r.Devices = slices.DeleteFunc(r.Devices, func(d *devices.Rule) bool {
		return d.Type == devices.CharDevice && d.Major == tunMajor && d.Minor == tunMinor
	})
}

func processRlimits(list []rlimit.Limit) []configs.Rlimit {
	var out []configs.Rlimit
	for _, l := range list {
		out = append(out, configs.Rlimit{Type: l.Resource(), Soft: l.Soft, Hard: l.Hard})
	}
	return out
}

// writeBundle gives hooks the configuration that they look for, as OCI's state tells them where: config.json in the bundle.
func (e *Engine) writeBundle(c *spec.Config, ociSpec *specs.Spec, config *configs.Config) error {
	if ociSpec.Hooks == nil {
		return nil
	}
	data, err := json.Marshal(ociSpec)
	dir := filepath.Join(e.MountDir, c.ID)
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, "config.json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write the configuration for hooks of container %s: %w", c.ID, err)
	}
	config.Labels = slices.DeleteFunc(config.Labels, func(l string) bool { return strings.HasPrefix(l, "bundle=") })
	config.Labels = append(config.Labels, "bundle="+dir)
	return nil
}
