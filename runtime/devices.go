package runtime

import (
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/background"
	"podd/runtime/container"
	"podd/runtime/device"
	"podd/runtime/lifecycle"
	"podd/runtime/state"
)

// hostDevices follows the devices that containers have: what is unplugged and plugged in again, also as another device, is
// the container's again.
type hostDevices struct {
	loop    *Runtime
	watcher device.Watcher
	work    background.Queue
	queued  atomic.Bool // a look is in the queue, and has not begun
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
		for _, id := range d.loop.engine.WithDevices() {
			changes, err := d.loop.engine.SyncDevices(id, nil, false)
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
	if len(ids) > 0 {
		d.changed()
	}
}

// devicesChanged tells of what containers got and lost, and lets those try again that wait for a device.
func (r *Runtime) devicesChanged(m msgDevices, now state.Instant) {
	for uid, p := range r.pods {
		for _, c := range p.Record.Containers {
			for _, change := range m.changes[state.ContainerID(uid, c.Name, c.Attempt)] {
				r.sayDevice(p, c.Name, change, now)
			}
		}
		if r.awaitDevice(p) {
			r.mark(uid)
		}
	}
}

func (r *Runtime) sayDevice(p *lifecycle.Pod, name string, change container.DeviceChange, now state.Instant) {
	if change.Gone {
		r.lifecycle.Event(p, name, now, corev1.EventTypeWarning, "DeviceUnplugged",
			fmt.Sprintf("Container %s has lost %s (%s), which is not at %s any more", name, change.Destination, change.Number, change.Source))
		return
	}
	r.lifecycle.Event(p, name, now, corev1.EventTypeNormal, "DevicePlugged",
		fmt.Sprintf("Container %s has got %s (%s), which is at %s", name, change.Destination, change.Number, change.Source))
}

// awaitDevice cuts the waiting of a pod short that may wait for a device.
func (r *Runtime) awaitDevice(p *lifecycle.Pod) (waits bool) {
	if !usesDevices(&p.Record.Object.Spec) {
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
