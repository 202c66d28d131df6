package container

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	cgroupdevices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer"
	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/devicerules"
	"podd/runtime/container/process"
	"podd/runtime/container/spec"
	"podd/runtime/device"
)

// deviceNodes makes and follows the devices of containers.
type deviceNodes struct{ e *Engine }

func (e *Engine) deviceNodes() deviceNodes { return deviceNodes{e} }

// A container with devices of the host has nodes of its own for them, in a file system of its own beside its root: with the
// owner's ids of the pod, and replaced when a device is unplugged and another one comes. The file system is podd's, so that
// its nodes can be opened also within a user namespace.
const (
	nodesDir    = "nodes"        // where that file system is mounted
	devicesFile = "devices.json" // what the container has
	nodeName    = "node"         // of a single device in its folder there
)

// deviceState is devicesFile.
type deviceState struct {
	Users   *spec.Users    `json:"users,omitempty"`
	Any     bool           `json:"any,omitempty"` // the container may open every device anyway
	Devices []*deviceGrant `json:"devices"`
}

type deviceGrant struct {
	spec.Device
	Folder bool `json:"folder,omitempty"`
	// Unplugged says of a unit of a resource that it is not there: what is at Source now is another's.
	Unplugged bool                   `json:"unplugged,omitempty"`
	Nodes     map[string]device.Node `json:"nodes,omitempty"` // that are open now, by their path in the folder; "" for a single device
	// Linked are devices that links of the folder lead to, by the place in the container where they are looked for.
	Linked map[string]device.Node `json:"linked,omitempty"`
}

// check refuses what podd never writes.
func (s *deviceState) check() error {
	for _, g := range s.Devices {
		if g == nil || g.Destination == "" {
			return errors.New("a device has no place")
		}
	}
	return nil
}

func (dn deviceNodes) devicesFile(id string) string {
	return filepath.Join(dn.e.MountDir, id, devicesFile)
}

func (dn deviceNodes) nodesDir(id string) string { return filepath.Join(dn.e.MountDir, id, nodesDir) }

// DeviceChange is news of a device in a running container.
type DeviceChange struct {
	Source, Destination string
	Number              string // of the device
	Gone                bool
}

// makeDevices makes the nodes of a container that is about to start, adds their mounts to it and returns the groups that they
// are for. label is their SELinux label, "": none.
func (dn deviceNodes) makeDevices(c *spec.Config, label string) ([]int, error) {
	dn.e.deviceLock.Lock()
	defer dn.e.deviceLock.Unlock()
	if len(c.Devices) == 0 {
		return nil, dn.dropDevices(c.ID)
	}
	state := &deviceState{Users: c.Sandbox.Users, Any: spec.IsPrivileged(c)}
	if err := dn.mountNodes(c.ID, label); err != nil {
		return nil, err
	}
	var groups []int
	for i := range c.Devices {
		g := &deviceGrant{Device: c.Devices[i]}
		state.Devices = append(state.Devices, g)
		switch form := device.FormOf(g.Source); form {
		case device.File, device.Folder:
			g.Folder = form == device.Folder
		case device.Gone:
			return nil, fmt.Errorf("device %s is not there", g.Source)
		case device.Other:
			return nil, fmt.Errorf("%s: %w", g.Source, device.ErrNotDevice)
		}
		at := filepath.Join(dn.nodesDir(c.ID), strconv.Itoa(i))
		if err := os.MkdirAll(at, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make device nodes: %w", err)
		}
		if _, err := dn.copyNodes(c.ID, i, g, state.Users); err != nil {
			return nil, err
		}
		if !g.Folder {
			at = filepath.Join(at, nodeName)
		}
		c.Mounts = append(c.Mounts, spec.Mount{Source: at, Destination: g.Destination, Options: []string{"nosuid", "noexec"}})
		for _, n := range g.all() {
			if gid, ok := n.SharedGroup(); ok && !slices.Contains(groups, gid) {
				groups = append(groups, gid)
			}
		}
	}
	slices.Sort(groups)
	return groups, dn.saveDevices(c.ID, state)
}

func (g *deviceGrant) all() []device.Node {
	return slices.Concat(slices.Collect(maps.Values(g.Nodes)), slices.Collect(maps.Values(g.Linked)))
}

func (dn deviceNodes) saveDevices(id string, state *deviceState) error {
	data, err := encodeJSON(state)
	if err == nil {
		err = atomicfile.Write(dn.devicesFile(id), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the devices of container %s: %w", id, err)
	}
	return nil
}

// mountNodes begins with an empty file system.
func (dn deviceNodes) mountNodes(id, label string) error {
	if err := dn.dropDevices(id); err != nil {
		return err
	}
	dir := dn.nodesDir(id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make device nodes: %w", err)
	}
	if err := unix.Mount("nodes", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, labelled("mode=0755,size=1m,nr_inodes=16384", label)); err != nil {
		return fmt.Errorf("cannot mount device nodes: %w", err)
	}
	return nil
}

// dropDevices takes away the nodes of a container that does not run.
func (dn deviceNodes) dropDevices(id string) error {
	err := unmountAll(dn.nodesDir(id))
	if removed := os.Remove(dn.devicesFile(id)); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return fmt.Errorf("cannot take away device nodes of container %s: %w", id, err)
	}
	return nil
}

// copyNodes brings the nodes of one device up to date with the host.
func (dn deviceNodes) copyNodes(id string, i int, g *deviceGrant, users *spec.Users) ([]DeviceChange, error) {
	want := map[string]device.Entry{}
	if g.Folder {
		list, err := device.ReadFolder(g.Source)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		want = list
	} else if n, err := device.Stat(g.Source); err == nil {
		g.own(&n)
		if !g.Unplugged {
			want[""] = device.Entry{Node: &n}
		}
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, device.ErrNotDevice) {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Join(dn.nodesDir(id), strconv.Itoa(i)))
	if err != nil {
		return nil, fmt.Errorf("cannot open device nodes: %w", err)
	}
	defer func() { _ = root.Close() }()
	if g.Folder {
		if err := trim(root, want); err != nil {
			return nil, err
		}
	}
	nodes, linked := map[string]device.Node{}, map[string]device.Node{}
	for _, rel := range slices.Sorted(maps.Keys(want)) {
		entry := want[rel]
		switch {
		case entry.Node != nil:
			if err := putNode(root, cmp.Or(rel, nodeName), *entry.Node, g.had(rel), users); err != nil {
				return nil, err
			}
			nodes[rel] = *entry.Node
		case entry.Link != "":
			if err := putLink(root, rel, entry.Link); err != nil {
				return nil, err
			}
			if at := path.Join(g.Destination, path.Dir(rel), entry.Link); entry.Target != nil && !path.IsAbs(entry.Link) && outside(at, g.Destination) {
				linked[at] = *entry.Target
			} else if entry.Target != nil && path.IsAbs(entry.Link) {
				linked[path.Clean(entry.Link)] = *entry.Target
			}
		default:
			if err := root.MkdirAll(rel, 0o755); err != nil {
				return nil, fmt.Errorf("cannot make device nodes: %w", err)
			}
		}
	}
	changes := g.compare(nodes, linked)
	g.Nodes, g.Linked = nodes, linked
	return changes, nil
}

// own gives a node the owner and mode that a CDI spec says.
func (g *deviceGrant) own(n *device.Node) {
	if g.UID != nil {
		n.UID = int(*g.UID)
	}
	if g.GID != nil {
		n.GID = int(*g.GID)
	}
	if g.Mode != nil {
		n.Mode = uint32(g.Mode.Perm())
	}
}

func outside(at, dir string) bool {
	rel, err := filepath.Rel(dir, at)
	return err != nil || rel == ".." || len(rel) > 2 && rel[:3] == "../"
}

func (g *deviceGrant) had(rel string) *device.Node {
	if n, ok := g.Nodes[rel]; ok {
		return &n
	}
	return nil
}

// compare says which devices came and went; another device in the place of one is one that came.
func (g *deviceGrant) compare(nodes, linked map[string]device.Node) []DeviceChange {
	var out []DeviceChange
	each := func(had, has map[string]device.Node, place func(string) string) {
		names := maps.Clone(has)
		if names == nil {
			names = map[string]device.Node{}
		}
		maps.Copy(names, had)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			before, was := had[name]
			now, is := has[name]
			switch {
			case was && !is:
				out = append(out, DeviceChange{Source: g.Source, Destination: place(name), Number: before.Number(), Gone: true})
			case is && (!was || before.Number() != now.Number()):
				out = append(out, DeviceChange{Source: g.Source, Destination: place(name), Number: now.Number()})
			}
		}
	}
	each(g.Nodes, nodes, func(rel string) string { return path.Join(g.Destination, rel) })
	each(g.Linked, linked, func(at string) string { return at })
	return out
}

// trim removes what a folder does not have any more, or has as something else. The container may have written there.
func trim(root *os.Root, want map[string]device.Entry) error {
	var remove []string
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		entry, ok := want[name]
		kept := ok && (d.IsDir() == (entry.Node == nil && entry.Link == ""))
		if !kept {
			remove = append(remove, name)
			if d.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	for _, name := range remove {
		err = errors.Join(err, root.RemoveAll(name))
	}
	if err != nil {
		return fmt.Errorf("cannot remove device nodes: %w", err)
	}
	return nil
}

// putNode makes a node, or gives the one that is there the owner and mode that the host's has got.
func putNode(root *os.Root, rel string, n device.Node, had *device.Node, users *spec.Users) error {
	if had != nil && *had == n {
		if _, err := root.Lstat(rel); err == nil {
			return nil
		}
	}
	if had == nil || had.Number() != n.Number() {
		if err := root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot replace a device node: %w", err)
		}
	}
	if _, err := root.Lstat(rel); err != nil {
		if err := makeNode(root, rel, n); err != nil {
			return err
		}
	}
	uid, gid := n.UID, n.GID
	if users != nil {
		uid, gid = users.Host(uid), users.Host(gid)
	}
	if err := root.Lchown(rel, uid, gid); err != nil {
		return fmt.Errorf("cannot give a device node its owner: %w", err)
	}
	if err := root.Chmod(rel, os.FileMode(n.Mode)); err != nil {
		return fmt.Errorf("cannot give a device node its mode: %w", err)
	}
	return nil
}

func makeNode(root *os.Root, rel string, n device.Node) error {
	if err := root.MkdirAll(path.Dir(rel), 0o755); err != nil {
		return fmt.Errorf("cannot make a device node: %w", err)
	}
	dir, err := root.Open(path.Dir(rel))
	if err != nil {
		return fmt.Errorf("cannot make a device node: %w", err)
	}
	defer closeFile(dir)
	kind := uint32(unix.S_IFCHR)
	if n.Kind == "b" {
		kind = unix.S_IFBLK
	}
	if err := unix.Mknodat(int(dir.Fd()), path.Base(rel), kind, int(unix.Mkdev(uint32(n.Major), uint32(n.Minor)))); err != nil {
		return fmt.Errorf("cannot make a device node (CAP_MKNOD): %w", err)
	}
	return nil
}

func putLink(root *os.Root, rel, target string) error {
	if have, err := root.Readlink(rel); err == nil && have == target {
		return nil
	}
	if err := root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot replace a link to a device: %w", err)
	}
	if err := root.MkdirAll(path.Dir(rel), 0o755); err != nil {
		return fmt.Errorf("cannot make a link to a device: %w", err)
	}
	if err := root.Symlink(target, rel); err != nil {
		return fmt.Errorf("cannot make a link to a device: %w", err)
	}
	return nil
}

// SyncDevices gives a container the devices that are there now: nodes, the links' targets, the rules of its cgroup. sources are
// where units of resources are now, by their ids; nil: where they were. fresh: its command has not begun.
func (e *Engine) SyncDevices(id string, sources map[string]string, fresh bool) ([]DeviceChange, error) {
	e.deviceLock.Lock()
	defer e.deviceLock.Unlock()
	state := &deviceState{}
	err := atomicfile.LoadJSON(e.deviceNodes().devicesFile(id), state, state.check)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		e.Damaged.Of(err, "the container keeps the devices that it has; those that are plugged in again it gets with its next start")
		return nil, err
	}
	var changes []DeviceChange
	for i, g := range state.Devices {
		if g.Unit != "" && sources != nil {
			at, ok := sources[g.Unit]
			if g.Unplugged = !ok; ok {
				g.Source = at
			}
		}
		news, err := e.deviceNodes().copyNodes(id, i, g, state.Users)
		if err != nil {
			return changes, err
		}
		changes = append(changes, news...)
	}
	if len(changes) == 0 && !fresh {
		return nil, nil
	}
	lc, err := e.stateFiles().load(id)
	if errors.Is(err, libcontainer.ErrNotExist) { // it is being made
		return changes, e.deviceNodes().saveDevices(id, state)
	}
	if err != nil {
		return changes, err
	}
	if err := e.deviceNodes().apply(id, lc, state, changes, fresh); err != nil {
		return changes, err
	}
	return changes, e.deviceNodes().saveDevices(id, state)
}

// apply carries changes out in the container. What went is closed first, and what came is opened last.
func (dn deviceNodes) apply(id string, lc *libcontainer.Container, state *deviceState, changes []DeviceChange, fresh bool) error {
	lcState, err := lc.State()
	if err != nil {
		return fmt.Errorf("cannot read the state of container %s: %w", id, err)
	}
	if !state.Any {
		if err := devicerules.Update(lcState.CgroupPaths, append(slices.Clone(lc.Config().Cgroups.Resources.Devices), state.rules()...)); err != nil {
			return err
		}
	}
	pidfd := process.Open(lcState.InitProcessPid, lcState.InitProcessStartTime)
	if pidfd == nil {
		return nil // it has ended
	}
	defer closeFile(pidfd)
	return plug(lcState.InitProcessPid, pidfd, state.Users, dn.plugs(id, state, changes, fresh))
}

// rules are those that a container's devices add to everybody's.
func (s *deviceState) rules() []*cgroupdevices.Rule {
	var out []*cgroupdevices.Rule
	for _, g := range s.Devices {
		for _, n := range g.all() {
			out = append(out, &cgroupdevices.Rule{
				Type: cgroupdevices.Type(n.Kind[0]), Major: n.Major, Minor: n.Minor, Permissions: cgroupdevices.Permissions(g.Access), Allow: true,
			})
		}
	}
	return out
}

// plugs are the mounts that follow from changes. A folder shows its nodes by itself; single devices and links' targets are
// mounted one by one.
func (dn deviceNodes) plugs(id string, state *deviceState, changes []DeviceChange, fresh bool) []plugging {
	var out []plugging
	changed := func(at string) bool {
		return slices.ContainsFunc(changes, func(c DeviceChange) bool { return c.Destination == at })
	}
	for i, g := range state.Devices {
		dir := filepath.Join(dn.nodesDir(id), strconv.Itoa(i))
		if !g.Folder && changed(g.Destination) {
			p := plugging{place: g.Destination}
			_, there := g.Nodes[""]
			if there {
				p.source = filepath.Join(dir, nodeName)
			}
			if there || device.Within(p.place) { // elsewhere the node stays, which cannot be opened: what is below it is an empty file
				out = append(out, p)
			}
		}
		for at, n := range g.Linked {
			if (fresh || changed(at)) && device.Within(at) {
				out = append(out, plugging{place: at, node: &n, scratch: filepath.Join(dn.nodesDir(id), "linked")})
			}
		}
	}
	for _, c := range changes {
		gone := c.Gone && device.Within(c.Destination) && !slices.ContainsFunc(out, func(p plugging) bool { return p.place == c.Destination })
		within := slices.ContainsFunc(state.Devices, func(g *deviceGrant) bool { return g.Folder && !outside(c.Destination, g.Destination) })
		if gone && !within {
			out = append(out, plugging{place: c.Destination})
		}
	}
	return out
}

// DeviceSources are the places on the host of a container's devices.
func (e *Engine) DeviceSources(id string) []string {
	var state deviceState
	if atomicfile.PeekJSON(e.deviceNodes().devicesFile(id), &state, state.check) != nil {
		return nil // SyncDevices tells
	}
	var out []string
	for _, g := range state.Devices {
		out = append(out, g.Source)
	}
	return out
}

// WithDevices lists the containers that have devices of the host.
func (e *Engine) WithDevices() []string {
	found, _ := filepath.Glob(filepath.Join(e.MountDir, "*", devicesFile))
	for i := range found {
		found[i] = filepath.Base(filepath.Dir(found[i]))
	}
	return found
}
