// Package runtime owns the pods of a board: it observes, plans and applies. One goroutine owns all state;
// everything else brings hints or does one operation for one pod.
package runtime

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/internal/atomicfile"
	"podd/internal/hostfile"
	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/adoption"
	"podd/runtime/container"
	"podd/runtime/container/rlimit"
	"podd/runtime/container/seccomp"
	"podd/runtime/container/spec"
	"podd/runtime/controller"
	"podd/runtime/device"
	"podd/runtime/executor"
	"podd/runtime/folders"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/networkpolicy"
	"podd/runtime/node"
	"podd/runtime/objects"
	"podd/runtime/podsecurity"
	"podd/runtime/prober"
	"podd/runtime/rollout"
	"podd/runtime/runtimeclass"
	"podd/runtime/sandbox"
	"podd/runtime/seal"
	"podd/runtime/service"
	"podd/runtime/serviceaccount"
	"podd/runtime/shutdown"
	"podd/runtime/state"
	"podd/runtime/stdio"
	"podd/runtime/storage"
	"podd/runtime/volume"
)

// Folder is where the desired pods come from.
type Folder interface {
	// Scan may take as long as the folder's file system does.
	Scan(now time.Time) manifest.Set
	// Unanswered is the sentence about a Scan that does not return.
	Unanswered() manifest.Problem
}

// Puller pulls images away from the loop.
type Puller interface {
	Pull(ctx context.Context, r imagepull.Request) imagepull.Result
	// CanPull: images are pulled, and not judged alone.
	CanPull() bool
	// Passes says whether it is known that an image that is there may run, by its name in the pod and its ID. It does no I/O.
	Passes(image, id string) bool
	// Allows says of an image that is there whether a pod may use it that has these credentials. It does no I/O but once.
	Allows(id, image string, keys imagepull.Keys) bool
}

// Network gives pods their addresses.
type Network interface {
	Attach(p netns.Pod) (netns.Attachment, error)
	// Restore takes over attached pods, and says why some of them have no address.
	Restore(pods []netns.Pod) (homeless map[string]error, err error)
	// Overlap is why new pods get no address: another network of the machine has theirs.
	Overlap() error
	SetPolicies(t netns.PolicyTable) error
	Detach(id string) error
	Collect(keep map[string]bool) error
}

// Cgroups holds the pods' part of the cgroup tree.
type Cgroups interface {
	EnsurePod(uid, qos string, r cgroups.Resources) (path string, err error)
	PodPath(uid, qos string) (string, error)
	RemovePod(path string) error
	SetTierShares(qos string, shares uint64) error
	Warm()
	Version() int
	Controllers() []string
	Collect(keep map[string]bool) error
	OOMKills(path string) (uint64, error)
	// OnRemoval and WatchPod: hint is called when a cgroup below that of a watched pod is removed.
	OnRemoval(hint func(cgroup string)) error
	WatchPod(cgroup string) error
	Resize(path string, r cgroups.Resources) error
}

// Events records what happens to pods.
type Events interface {
	Record(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
}

// Config is what the runtime runs with.
type Config struct {
	RunDir, RootDir, LogDir string
	NodeName                string
	HostIPs                 func() ([]netip.Addr, error)
	ResolvConf              func() string // the host's file, which may be another one each time
	ClusterDomain           string        // of the names of Services
	CDISpecDirs             []string      // of CDI specs, the later ones before the earlier
	DefaultDeny             []string      // Ingress, Egress: pods are isolated without any NetworkPolicy
	Executable              string        // podd itself, whose pause command holds shared PID namespaces
	Settings                Settings      // as they are now
	MemoryCapacity          int64         // bytes of the board
	OOMScoreFloor           int           // the lowest score that the kernel lets podd give
	Log                     *slog.Logger

	Folder  Folder
	Images  imagepull.Images
	Puller  Puller // nil: images are neither pulled nor judged
	Network Network
	Cgroups Cgroups
	Users   sandbox.Users
	Levels  sandbox.Levels
	FDStore stdio.FDStore
	Names   Names
	// Forwarder leads to Services, whose addresses come from ServiceCIDRs; PodCIDRs are the pods' own.
	Forwarder Forwarder
	// HealthPorts makes podd answer load balancers on the ports of Services, and on no others.
	HealthPorts            func([]service.HealthPort)
	PodCIDRs, ServiceCIDRs []netip.Prefix
	Events                 Events
	// Damaged is told of files of state that could not be believed and were set aside; nil: nobody is.
	Damaged atomicfile.Report
	// ExitEvents is used on kernels whose pidfds do not keep the exit status; nil: it is then unknown.
	ExitEvents stdio.ExitEvents
	// CheckStorage says whether what others keep on the disk is as it should be; nil: nobody keeps anything. Any goroutine
	// calls it.
	CheckStorage func() error
	// StorageMended is called when all can be written again; nil: nobody is told.
	StorageMended func()
	// Idle is called once after each burst of work; nil: nobody is told.
	Idle func()
	// Active is called once when the next burst begins.
	Active func()
}

// Runtime is the loop and its state. Only the loop's goroutine touches the fields below store.
type Runtime struct {
	Config
	Hints
	Requests
	podTable
	paths     state.Paths
	engine    *container.Engine
	volumes   *volume.Dirs
	io        *stdio.Hub
	kernel    kernel
	now       func() state.Instant
	sandboxes *sandbox.Manager
	executor  *executor.Executor
	store     *objects.Store
	objects   *objects.Desired
	accounts  *serviceaccount.Manager
	prober    *prober.Prober
	lifecycle *lifecycle.Handler

	finished    state.FinishedStore
	rollout     *rollout.Manager
	claims      *storage.Claims // what claims are bound to
	disk        *state.Disk
	services    *service.Syncer
	policies    *networkpolicy.Syncer
	scanned     bool // the folder was seen at least once
	swept       bool // what pods left that went while no podd was there is removed
	folderNow   manifest.Set
	controllers *controller.Manager
	reschedule  bool // a pod that waits may come onto the board
	cordon      atomic.Pointer[node.Cordon]
	scan        scanner
	workloads   controllerLoop
	imagePulls  imagePulls
	adopter     adopter
	resolver    resolverSync
	network     networkSync
	admission   admission
	scheduling  scheduling
	podVolumes  podVolumes
	problems    []manifest.Problem
	reattach    bool           // which pods they belong to is to be looked at
	recheck     state.BootTime // since boot; scan the folder again
	// importing: an image that is not there may be about to come, and its lack is no news.
	importing  bool
	worked     bool           // since the last rest
	idle       bool           // as was told
	idleAt     state.BootTime // since boot; 0: idle already
	folders    *folders.Folders
	storage    *folders.Monitor
	remains    *adoption.Remains
	conditions conditions
	orphans    adoption.Orphans
	shares     cpuShares
	inputs     *inputs
	devices    hostDevices
}

// New makes a runtime; Run starts it.
func New(c Config) (*Runtime, error) {
	if c.StorageMended == nil {
		c.StorageMended = func() {}
	}
	r := &Runtime{
		Config:   c,
		now:      state.Now,
		paths:    state.Paths{Run: c.RunDir, Root: c.RootDir, Logs: c.LogDir},
		store:    objects.NewStore(),
		Hints:    Hints{newInbox()},
		finished: state.FinishedStore{Dir: filepath.Join(c.RootDir, "finished")},

		disk: &state.Disk{Log: c.Log, Damaged: c.Damaged},
	}
	r.resolver.resolvGuard = hostfile.Guard{Patience: resolvPatience, Most: 1, Returned: func(string) { r.ResolverChanged() }}
	r.Requests.loop = r
	r.scan.r = r
	r.workloads.r, r.resolver.r, r.network.r = r, r, r
	r.imagePulls, r.adopter, r.admission, r.podVolumes = imagePulls{r}, adopter{r}, admission{r}, podVolumes{r}
	r.scheduling = scheduling{r}
	r.devices.loop, r.devices.watcher.Changed = r, r.devices.changed
	r.podTable = newPodTable(state.Store{Dir: filepath.Join(c.RunDir, "pods")}, func(err error) { r.storage.Suspect(err) }, c.Log)
	r.shares = cpuShares{pods: &r.podTable, cgroups: c.Cgroups, last: cgroups.MilliCPUToShares(0), log: c.Log}
	r.kernel = board{r}
	r.conditions = r.newConditions()
	r.disk.Failed = r.SuspectStorage
	r.rollout = rollout.New(c.RootDir, r.disk)
	r.objects = &objects.Desired{Keys: seal.Of(c.RootDir), RecordEvent: r.recordEvent, Log: c.Log}
	r.claims = storage.New(c.RootDir, &storage.Claims{Objects: r.objects, Store: r.store, Disk: r.disk, RecordEvent: r.recordEvent, Log: c.Log})
	r.controllers = controller.New(&controller.Manager{
		Loop: &r.workloads, Objects: r.objects, Store: r.store, Disk: r.disk, RecordEvent: r.recordEvent, Log: c.Log,
		RunDir: filepath.Join(c.RunDir, "workloads"), RootDir: filepath.Join(c.RootDir, "workloads"),
	})
	r.volumes = &volume.Dirs{Disk: filepath.Join(c.RootDir, "pods"), Memory: filepath.Join(c.RunDir, "volumes")}
	r.volumes.NFS.Ended = r.podVolumes.shareMounted
	r.engine = &container.Engine{
		StateDir: filepath.Join(c.RunDir, "containers"),
		IODir:    filepath.Join(c.RunDir, "io"),
		RootDir:  filepath.Join(c.RootDir, "containers"),
		MountDir: filepath.Join(c.RunDir, "roots"),

		BaseLayer:  filepath.Join(c.RunDir, "base"),
		Views:      container.Views{Cgroups: filepath.Join(c.RunDir, "cgroup"), Dev: filepath.Join(c.RunDir, "dev")},
		Seccomp:    seccomp.Profiles{Dir: filepath.Join(c.RootDir, "seccomp")},
		RemoveTree: volume.Remove,
		Damaged:    c.Damaged,
	}
	r.folders = &folders.Folders{
		Run: c.RunDir, Root: c.RootDir, Logs: c.LogDir, Passed: []string{r.engine.MountDir, filepath.Join(c.RunDir, "sandbox")},
		Records: r.records.Dir, Containers: r.engine.StateDir, IO: r.engine.IODir,
		Private: []string{r.engine.RootDir, r.volumes.Disk, r.controllers.RunDir}, BootID: folders.BootID,
		Small:   []string{c.RootDir, r.finished.Dir, r.controllers.RootDir, filepath.Join(c.RootDir, "lastgood"), filepath.Join(c.RootDir, "rollback")},
		Damaged: c.Damaged, SetAside: r.disk.Restored, Runs: r.engine.AnyRuns,
	}
	r.storage = &folders.Monitor{
		Folders: r.folders, Prepare: func() error { return r.kernel.prepare() }, Others: c.CheckStorage,
		Tried: func(problems map[string]error) { r.inbox.put(msgStorage{problems}) }, Report: r.conditions.storage.Report,
	}
	r.remains = &adoption.Remains{
		Kernel: r.kernel, Paths: r.paths, Volumes: r.volumes, Cgroups: c.Cgroups, Network: c.Network, Users: c.Users, Levels: c.Levels,
	}
	r.sandboxes = &sandbox.Manager{
		Paths: r.paths, Engine: r.engine, Network: c.Network, Cgroups: c.Cgroups, Users: c.Users, Levels: c.Levels,
		ClusterDomain: c.ClusterDomain, Executable: c.Executable, Log: c.Log,
	}
	r.prober = prober.New(&prober.Prober{
		Paths: r.paths, Engine: r.engine, ExecConfig: func(rec *state.Record, c *state.ContainerRecord) (*spec.Config, error) {
			return r.kernel.execConfig(rec, c)
		}, Log: c.Log,
		News:      func(n prober.News) { r.inbox.put(msgProbe{n}) },
		HookEnded: func(e prober.HookEnded) { r.inbox.put(msgHook{e}) },
	})
	r.inputs = &inputs{
		settings: &r.Settings, handler: r.admission.handlerOf, paths: r.paths, images: c.Images, passes: passesOf(c.Puller), objects: r.objects, claims: r.claims,
		devices: &r.devices, nameServers: r.resolver.nameServers, hostIPs: r.network.boardIPs, claimView: r.podVolumes.claimView,
	}
	r.lifecycle = &lifecycle.Handler{
		Loop: podLoop{r}, Inputs: r.inputs, Kernel: r.kernel, Cgroups: c.Cgroups, Prober: r.prober, Events: r.recordEvent, Log: c.Log,
		Node: node.Reference(c.NodeName),
	}
	var err error
	if r.io, err = stdio.NewHub(r.engine, c.FDStore, c.Log); err != nil {
		return nil, err
	}
	r.accounts = &serviceaccount.Manager{
		KeyFile: filepath.Join(c.RootDir, "keys", "token.pem"), NodeName: c.NodeName, NodeUID: node.UID, Objects: r.objects,
		Damaged: c.Damaged, ClockSet: func() { r.inbox.put(msgClock{}) }, Reactor: r.io.Reactor, Log: c.Log,
	}
	r.services = &service.Syncer{
		NodeName: c.NodeName, ClusterDomain: c.ClusterDomain, PodCIDRs: c.PodCIDRs, ServiceCIDRs: c.ServiceCIDRs,
		AllocationsFile: filepath.Join(c.RootDir, "services.json"), ZoneFile: filepath.Join(c.RunDir, "names.json"),
		Objects: r.objects, Store: r.store, Ports: c.Forwarder, Disk: r.disk, Forward: r.network.forward,
		SetZone: func(z *dns.Zone) { r.Names.SetZone(z) }, HealthPorts: c.HealthPorts, RecordEvent: r.recordEvent, Log: c.Log,
	}
	r.policies = &networkpolicy.Syncer{Network: c.Network, Objects: r.objects, DefaultDeny: c.DefaultDeny}
	r.executor = executor.New(executor.Executor{
		Paths: r.paths, Sandboxes: r.sandboxes, Engine: r.engine, Hub: r.io, Volumes: r.volumes, Cgroups: c.Cgroups,
		LogFolders: executor.LogFolders{Paths: r.paths}, NodeName: c.NodeName, Allocatable: func() corev1.ResourceList { return node.Allocatable(r.Capacity()) },
		MemoryCapacity: c.MemoryCapacity, OOMScoreFloor: c.OOMScoreFloor, Damaged: c.Damaged, Restored: r.disk.Restored, Log: c.Log,
		CDIDirs: c.CDISpecDirs, WatchDevice: r.devices.watch,
	})
	r.inputs.accounts, r.inputs.services, r.inputs.executor = r.accounts, r.services, r.executor
	return r, nil
}

// recordEvent records an event of any object.
func (r *Runtime) recordEvent(now time.Time, ref corev1.ObjectReference, typ, reason, message string) {
	r.Events.Record(now, ref, typ, reason, message)
}

// Store gives what is published.
func (r *Runtime) Store() *objects.Store { return r.store }

// Settings are the part of Config that may change while pods run.
type Settings struct {
	LogMaxSize   int64 // bytes of one log file
	LogMaxFiles  int
	LogDriver    string // of annotation.LogDrivers, for containers that start later
	PodPidsLimit int64
	// StopGroups are in which order pods end with the board, and their longest graces; none: all at once, within their own.
	StopGroups []shutdown.Group
	// LongestBackoff is what a container that crashes waits at most; 0: Kubernetes' five minutes.
	LongestBackoff time.Duration
	// Rlimits are those of containers that start later.
	Rlimits []rlimit.Limit
	// AllowedUnsafeSysctls are names and prefixes (kernel.msg*) of sysctls that pods may set beside the safe ones.
	AllowedUnsafeSysctls []string
	// AutoUsers gives pods that start later and do not say hostUsers ids of their own, where that goes.
	AutoUsers bool
	// SeccompDefault confines containers that start later and whose pods name no seccomp profile by the runtime's.
	SeccompDefault bool
	// NoNewPrivileges is for containers that start later and whose pods do not say allowPrivilegeEscalation.
	NoNewPrivileges bool
	// PodSecurity is what pods may ask for that are made later.
	PodSecurity podsecurity.Settings
	// RuntimeHandlers are how pods are run that start later and name a RuntimeClass.
	RuntimeHandlers runtimeclass.Handlers
	// DenyCDIAnnotations: pods that name CDI devices in annotations are not admitted.
	DenyCDIAnnotations bool
	// RefuseUnlabelled: pods that ask for SELinux labels are not admitted where SELinux is off.
	RefuseUnlabelled bool
	// Devices offer devices as resources, to pods that start later.
	Devices []device.Rule
	// Labels of the node, beside those that every node has. A pod that runs stays; one that waits is asked again.
	Labels map[string]string
}
