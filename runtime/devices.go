package runtime

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/internal/background"
	"podd/internal/hugepage"
	"podd/runtime/container"
	"podd/runtime/device"
	"podd/runtime/device/cdi"
	"podd/runtime/lifecycle"
	"podd/runtime/node"
	"podd/runtime/scheduler"
	"podd/runtime/state"
)

// hostDevices follows the devices that containers have: what is unplugged and plugged in again, also as another device, is
// the container's again.
type hostDevices struct {
	loop    *Runtime
	watcher device.Watcher
	specs   cdi.Watcher
	work    background.Queue
	queued  atomic.Bool // a look is in the queue, and has not begun
	// rules are those of the settings.
	rules atomic.Pointer[[]device.Rule]
	// inventory is what the last look has found; nil: there was none.
	inventory atomic.Pointer[device.Inventory]
	told      map[string]bool // sentences about CDI specs; of the queue
}

// msgDevices: devices may have come and gone; these are what running containers got and lost, by the container's id.
type msgDevices struct {
	changes map[string][]container.DeviceChange
}

// changed looks at the devices away from the loop. Any goroutine may call it.
func (d *hostDevices) changed() {
	if d.queued.Swap(true) {
		return
	}
	d.work.Do(func() {
		d.queued.Store(false)
		out := msgDevices{changes: map[string][]container.DeviceChange{}}
		inv := d.find(d.loadCDI())
		d.inventory.Store(&inv)
		sources := inv.Sources()
		for _, id := range d.loop.engine.WithDevices() {
			changes, err := d.loop.engine.SyncDevices(id, sources, false)
			if err != nil {
				d.loop.Log.Error("cannot bring the devices of a container up to date", "containerID", id, "error", err)
			}
			if len(changes) > 0 {
				out.changes[id] = changes
			}
		}
		d.loop.inbox.put(out)
	})
}

// watch is called before anybody looks whether a device is there.
func (d *hostDevices) watch(path string) {
	if err := d.watcher.Watch(path); err != nil {
		d.loop.Log.Warn("a device that is plugged in again will not be seen", "path", path, "error", err)
	}
}

// adopt takes over the devices of containers that an earlier daemon has started.
func (d *hostDevices) adopt() {
	ids := d.loop.engine.WithDevices()
	for _, id := range ids {
		for _, source := range d.loop.engine.DeviceSources(id) {
			d.watch(source)
		}
	}
	if err := d.specs.Start(d.loop.CDISpecDirs, d.changed); err != nil {
		d.loop.Log.Warn("not all CDI specs that change will be seen", "error", err)
	}
	d.use(d.loop.Settings.Devices)
}

// close ends the watches.
func (d *hostDevices) close() {
	_ = d.watcher.Close() // nothing was written
	_ = d.specs.Close()
}

// use takes other rules. What pods have stays theirs.
func (d *hostDevices) use(rules []device.Rule) {
	d.rules.Store(&rules)
	for i := range rules {
		switch path := rules[i].Path; {
		case path == "" && rules[i].CDI == "":
			d.watch(device.Dir + "/null")
		case path != "":
			d.watch(path)
		}
	}
	d.changed()
}

// find looks for what the rules offer.
func (d *hostDevices) find(specs *cdi.Specs) device.Inventory {
	rules := d.rules.Load()
	if rules == nil {
		return device.Inventory{}
	}
	f := device.Finder{Dev: device.Dir, Sys: "/sys", CDI: specs.Kind}
	return f.Find(*rules)
}

// loadCDI reads the specs, and says once of a file why it is left out.
func (d *hostDevices) loadCDI() *cdi.Specs {
	specs := cdi.Load(d.loop.CDISpecDirs)
	told := map[string]bool{}
	for _, p := range specs.Problems {
		text := p.Error()
		if told[text] = true; !d.told[text] {
			d.loop.Log.Warn("a CDI spec is left out", "file", p.File, "error", p.Err)
			d.loop.recordEvent(time.Now(), node.Reference(d.loop.NodeName), corev1.EventTypeWarning, "CDISpecRefused", text)
		}
	}
	d.told = told
	return specs
}

// has is what was found last; known: somebody has looked.
func (d *hostDevices) has() (inv device.Inventory, known bool) {
	if p := d.inventory.Load(); p != nil {
		return *p, true
	}
	return device.Inventory{}, false
}

func (d *hostDevices) plugged(resource, id string) bool {
	inv, known := d.has()
	if !known {
		return true
	}
	_, ok := inv.Find(resource, id)
	return ok
}

// Capacity is what the board has, with what devices offer. Any goroutine may ask.
func (r *Runtime) Capacity() corev1.ResourceList { return r.devices.capacity() }

func (d *hostDevices) capacity() corev1.ResourceList {
	list := node.Capacity(d.loop.RootDir, hugepage.Machine)
	inv, _ := d.has()
	for name, units := range inv {
		list[corev1.ResourceName(name)] = *resource.NewQuantity(int64(len(units)), resource.DecimalSI)
	}
	return list
}

// allocate gives a pod the devices that it asks for, or says in the scheduler's words which are not there or are others'.
func (d *hostDevices) allocate(p *lifecycle.Pod) (why string) {
	if !device.Asks(&p.Record.Object.Spec) {
		return ""
	}
	inv, _ := d.has()
	used := map[string]bool{}
	for _, other := range d.loop.pods {
		if other != p && other.Record.State != state.PodFinished {
			device.Allocations(other.Record.Devices).AddUsed(used)
		}
	}
	units, short := device.Allocate(&p.Record.Object.Spec, inv, used)
	if len(short) > 0 {
		units, why = nil, device.Insufficient(short, inv)
	}
	if !reflect.DeepEqual(units, device.Allocations(p.Record.Devices)) {
		p.Record.Devices = units
		d.loop.save(p)
	}
	return why
}

// freed lets pods try again that wait for what another had.
func (d *hostDevices) freed(p *lifecycle.Pod) {
	if len(p.Record.Devices) == 0 && !scheduler.AsksHugePages(&p.Record.Object.Spec) {
		return
	}
	for uid, other := range d.loop.pods {
		if other.Unfit != "" {
			d.loop.mark(uid)
		}
	}
}

// take tells of what containers got and lost, and lets those try again that wait for a device.
func (d *hostDevices) take(m msgDevices, now state.Instant) {
	r := d.loop
	r.reschedule = true
	for uid, p := range r.pods {
		for _, c := range p.Record.Containers {
			for _, change := range m.changes[state.ContainerID(uid, c.Name, c.Attempt)] {
				d.say(p, c.Name, change, now)
			}
		}
		if awaits(p) || p.Unfit != "" {
			r.mark(uid)
		}
		if len(p.Record.Devices) > 0 {
			r.publish(p, now)
		}
	}
}

func (d *hostDevices) say(p *lifecycle.Pod, name string, change container.DeviceChange, now state.Instant) {
	if change.Gone {
		d.loop.lifecycle.Event(p, name, now, corev1.EventTypeWarning, "DeviceUnplugged",
			fmt.Sprintf("Container %s has lost %s (%s), which is not at %s any more", name, change.Destination, change.Number, change.Source))
		return
	}
	d.loop.lifecycle.Event(p, name, now, corev1.EventTypeNormal, "DevicePlugged",
		fmt.Sprintf("Container %s has got %s (%s), which is at %s", name, change.Destination, change.Number, change.Source))
}

// awaits cuts the waiting of a pod short that may wait for a device.
func awaits(p *lifecycle.Pod) (waits bool) {
	handler := p.Record.Sandbox.Handler
	if !usesDevices(&p.Record.Object.Spec) && len(p.Record.Devices) == 0 && len(cdi.Annotated(p.Record.Object.Annotations)) == 0 &&
		(handler == nil || len(handler.CDIDevices) == 0) {
		return false
	}
	if v := &p.Record.Volumes; v.Error != "" {
		v.NotBefore, waits = 0, true
	}
	for _, c := range p.Record.Containers {
		if c.Waiting != nil && c.Waiting.Reason == "CreateContainerError" {
			c.NotBefore, waits = 0, true
		}
	}
	return waits
}

func usesDevices(spec *corev1.PodSpec) bool {
	for i := range spec.Volumes {
		if h := spec.Volumes[i].HostPath; h != nil && (device.Within(h.Path) || h.Type != nil && (*h.Type == corev1.HostPathCharDev || *h.Type == corev1.HostPathBlockDev)) {
			return true
		}
	}
	return false
}
