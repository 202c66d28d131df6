// Package daemon puts the runtime together with the board that it runs on: signals and the service manager, locks, the journal,
// the name server, memory, and the folders that are watched.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/cmd/podd/internal/config"
	"podd/cmd/podd/internal/logind"
	store "podd/images"
	"podd/internal/atomicfile"
	"podd/internal/beneath"
	"podd/netns"
	"podd/netns/inspect"
	"podd/netns/namespace"
	"podd/netns/procevent"
	"podd/runtime"
	"podd/runtime/api"
	"podd/runtime/backend"
	"podd/runtime/container/rlimit"
	"podd/runtime/event"
	"podd/runtime/fdstore"
	"podd/runtime/imagepull"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/folder"
	"podd/runtime/seal"
)

// daemon is everything that one podd holds open.
type daemon struct {
	version       string
	source        *config.Source
	config        *config.Config // as podd was started with, and what a reload has changed
	boardProblems refusal        // what doctor finds
	refused       refusal        // what is wrong with the configuration file
	status        string         // as the service manager was told last
	lowered       []string       // resource limits that the kernel does not let podd give
	level         slog.LevelVar
	log           *slog.Logger
	manager       *fdstore.Store
	signals       chan os.Signal
	mended        chan struct{} // podd can write again where it could not
	images        *store.Store
	collector     collector
	folder        *folder.Folder
	events        *event.Recorder
	network       *netns.Network
	names         *names
	damages       damages
	cgroups       *cgroups.Tree
	runtime       *runtime.Runtime
	// labels are those of the node that the configuration has.
	labels atomic.Pointer[map[string]string]
	// handlers are the names of the node's runtime handlers.
	handlers atomic.Pointer[[]string]
	// refuseUnknown: kinds that podd does not act on are refused, by the configuration.
	refuseUnknown atomic.Bool
	puller        *imagepull.Puller
	machine       *logind.Watcher // nil: its shutdowns are not podd's matter
	// imageRules say where the policy of images is.
	imageRules atomic.Pointer[config.ImagesConfig]

	pullSettings atomic.Pointer[pullSettings]
}

func runDaemon(source *config.Source, version string) error {
	heap.work()
	limitInitThreads()
	resetCoredumpFilter()
	forbidCoreDump()
	d := &daemon{version: version, lowered: rlimit.Reset(), source: source, manager: fdstore.FromEnvironment(), signals: make(chan os.Signal, 4), mended: make(chan struct{}, 1)}
	// At once: a stop that comes while podd opens its folders is still a stop of all pods.
	signal.Notify(d.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(d.signals)
	c, text, problem, err := source.Start()
	if err != nil {
		return d.delayExit(err)
	}
	d.config = &c
	d.setLevel()
	d.log = newLogger(c.Logging.Format, &d.level, os.Stderr)
	// Whatever folder podd was started in may be unmounted or removed.
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("cannot leave the folder of the start: %w", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("podd run needs root: it makes namespaces, mounts and cgroups")
	}
	release, err := d.own()
	if err != nil {
		return d.delayExit(err)
	}
	defer release()
	if err := d.open(); err != nil {
		return d.delayExit(err)
	}
	d.judge(text, problem)
	d.logSealSource()
	return d.serve()
}

// limitInitThreads lets each container's init run on one processor: libcontainer hands the variable on, and the Go runtime then
// starts no threads for a moment's work (0.7 ms of CPU). The daemon itself has read it already.
func limitInitThreads() { _ = os.Setenv("GOMAXPROCS", "1") }

// own makes podd's folders and keeps other daemons from them, from its bridge and from its cgroups. Folders that cannot be made
// are tried again by the runtime.
func (d *daemon) own() (release func(), err error) {
	c := d.config
	for _, dir := range []string{c.RunDir, c.Root, c.LogDir} {
		if err := atomicfile.EnsureDir(dir, 0o711, d.damaged, "it was not podd's"); err != nil {
			d.log.Error("cannot make a folder", "error", err)
		}
	}
	return lockAll(c, d.damaged, func(err error) { d.log.Warn("podd is not locked", "error", err) })
}

func (d *daemon) open() error {
	c := d.config
	var err error
	d.events = event.Open(event.Options{
		Path: filepath.Join(c.RunDir, "events.jsonl"), Max: maxEvents, Node: c.NodeName, Damaged: d.damaged,
		Warn: func(err error) { d.log.Warn("events are not kept", "error", err) },
	})
	d.recordDamages()
	d.garbage().collectBy(c.Collection())
	images, imagesErr := store.Open(filepath.Join(c.Root, "images"), store.Options{InUse: d.layersInUse, Warn: d.imageLost, Boot: bootID(), MakeRoom: d.garbage().makeRoom, Unpack: heap.unpack})
	if images == nil {
		return imagesErr
	}
	if d.images = images; imagesErr != nil {
		d.log.Error("images are not as they should be", "error", imagesErr)
	}
	if err := config.KeepRunDir(c.Root, c.RunDir, d.damaged); err != nil {
		d.log.Warn("podd images rm could remove images in use while podd does not run", "error", err)
	}
	if d.cgroups, err = openCgroups(c.CgroupRoot, d.log); err != nil {
		return err
	}
	if err := d.cgroups.FavorMoves(); err != nil {
		d.log.Debug("moves between cgroups stay slow", "err", err)
	}
	network := c.Network()
	network.Damaged, network.Changed = d.damaged, d.reportNetwork
	d.network, err = netns.New(network)
	if err != nil {
		return err
	}
	d.network.Await()
	forwarder := d.network.Services()
	if err := d.network.EnsureHost(); err != nil {
		return err
	}
	if !d.network.UsesIPv6() {
		network.ServiceCIDRs = slices.DeleteFunc(slices.Clone(network.ServiceCIDRs), func(p netip.Prefix) bool { return p.Addr().Is6() })
	}
	seal.Of(c.Root).SetAsideDamaged(d.damaged)
	d.openNames()
	d.folder = folder.Open(folder.Options{
		Dir: c.Manifests, CacheDir: filepath.Join(c.Root, "lastgood"), Seed: runtime.LastKnown(c.RunDir), Damaged: d.damaged,
		Fits:          func(e string) bool { return annotation.FitsNode(e, c.NodeName, d.nodeLabels()) },
		RefuseUnknown: d.refuseUnknown.Load,
	})
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find podd's own file: %w", err)
	}
	if d.puller, err = d.imagePulls().openPuller(); err != nil {
		return err
	}
	d.runtime, err = runtime.New(runtime.Config{
		RunDir: c.RunDir, RootDir: c.Root, LogDir: c.LogDir, NodeName: c.NodeName,
		HostIPs: func() ([]netip.Addr, error) { return inspect.HostIPs(c.Bridge) }, Executable: executable,
		ResolvConf: c.ResolvConfFile, ClusterDomain: c.ClusterDomain, CDISpecDirs: c.CDISpecDirs, DefaultDeny: c.DefaultDeny, Names: d.names,
		HealthPorts: d.openHealthPorts().set,
		Forwarder:   forwarder, PodCIDRs: podCIDRs(network), ServiceCIDRs: network.ServiceCIDRs,
		Settings: d.settings(), MemoryCapacity: memoryCapacity(), OOMScoreFloor: d.oomScoreFloor(), Log: d.log,
		Folder: d.folder, Images: d.images, Puller: d.puller, Network: d.network, Cgroups: d.cgroups, Users: usersOf(c, d.damaged), Levels: levelsOf(c, d.damaged), FDStore: d.manager, Events: d.events, Damaged: d.damaged,
		ExitEvents: procevent.ExitEvents, Idle: d.rest, Active: heap.work,
		CheckStorage: d.images.Recheck, StorageMended: d.storageMended,
	})
	if err == nil && imagesErr != nil {
		d.runtime.SuspectStorage(imagesErr)
	}
	return err
}

// bootID is this boot of the machine; "": the kernel does not tell.
func bootID() string {
	return strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/random/boot_id"))
}

// reportNetwork says what of the network is otherwise than it is configured, or as it is again.
func (d *daemon) reportNetwork(reason, sentence string) {
	d.log.Warn("the pods' network changed", "reason", reason, "message", sentence)
	typ := corev1.EventTypeWarning
	if reason == netns.IPv6Enabled {
		typ = corev1.EventTypeNormal
	}
	d.events.Record(time.Now(), d.nodeReference(), typ, reason, sentence)
}

// oomScoreFloor says once what the kernel will not allow.
func (d *daemon) oomScoreFloor() int {
	floor := lowestOOMScore()
	if floor > -1000 {
		d.log.Warn("podd may not protect pods from the OOM killer: CAP_SYS_RESOURCE is missing", "lowestScore", floor)
	}
	return floor
}

// maxEvents bounds what is remembered of the past.
const maxEvents = 1000

func (d *daemon) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener, err := d.listen()
	if errors.Is(err, api.ErrInUse) {
		return err
	}
	if err != nil {
		d.log.Error("podd cannot be asked for anything; it is tried again", "error", err)
		d.runtime.SuspectStorage(err)
	}
	b := &backend.Backend{Runtime: d.runtime, ImageStore: d.images, Puller: d.puller, EventLog: d.events, Version: d.version, Labels: d.nodeLabels, Handlers: &d.handlers, ConfigProblem: d.refused.get, Ailments: d.boardProblems.get}
	served := make(chan error, 1)
	// Nobody is answered before all that an earlier daemon left is known: they wait for it in the socket's queue.
	readers := make(chan struct{})
	answer := sync.OnceFunc(func() {
		go func() { served <- d.answer(ctx, listener, b) }()
		go func() { d.answerReaders(ctx, b); close(readers) }()
	})
	announce := d.announce()
	collect := sync.OnceFunc(func() { go d.garbage().collectImages(ctx, store.Room{}) })

	d.watch(ctx)
	watchShutdown(ctx, d)
	go d.handleSignals(ctx, cancel)
	go d.feedWatchdog(ctx)
	go d.runDoctor()
	go d.imagePulls().serveImages(ctx)
	err = d.runtime.Run(ctx, func() {
		answer()
		announce()
		collect()
	})
	answer()
	_ = d.manager.Notify(fdstore.Stopping)
	cancel()
	err = errors.Join(err, <-served)
	<-readers
	if d.runtime.Empty() {
		err = errors.Join(err, d.clear())
	}
	return err
}

// answer serves the API. On a disk without room for a socket it is tried again, ever less often.
func (d *daemon) answer(ctx context.Context, listener net.Listener, b *backend.Backend) error {
	for delay := time.Second; listener == nil; delay = min(2*delay, time.Minute) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		var err error
		if listener, err = d.listen(); err == nil {
			d.log.Info("podd can be asked again", "socket", d.config.Socket)
		}
	}
	return api.Serve(ctx, listener, b, d.log)
}

// storageMended is called when podd can write again where it could not.
func (d *daemon) storageMended() {
	if err := config.KeepRunDir(d.config.Root, d.config.RunDir, d.damaged); err != nil {
		d.log.Warn("podd images rm could remove images in use while podd does not run", "error", err)
	}
	select {
	case d.mended <- struct{}{}:
	default:
	}
}

// clear takes away what podd has made for its pods on this machine, once there are none.
func (d *daemon) clear() error {
	d.names.clear()
	if err := d.images.CloseClean(); err != nil { // the next boot looks at all layers
		d.log.Warn("the image store was not closed in order", "error", err)
	}
	return errors.Join(d.network.RemoveHost(), namespace.RemoveParent(filepath.Join(d.config.RunDir, "ns")), d.cgroups.Remove())
}
