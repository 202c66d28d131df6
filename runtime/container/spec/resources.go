package spec

import (
	"fmt"
	"maps"
	"slices"

	"github.com/moby/sys/devices"
	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// hostDevices are all device nodes of the host, which a privileged container gets.
func hostDevices() ([]specs.LinuxDevice, error) {
	found, err := devices.HostDevices()
	if err != nil {
		return nil, fmt.Errorf("cannot list the host's devices: %w", err)
	}
	list := make([]specs.LinuxDevice, 0, len(found))
	for _, d := range found {
		mode, uid, gid := d.FileMode, d.Uid, d.Gid
		list = append(list, specs.LinuxDevice{
			Path: d.Path, Type: string(d.Type), Major: d.Major, Minor: d.Minor,
			FileMode: &mode, UID: &uid, GID: &gid,
		})
	}
	return list, nil
}

// Kubernetes' numbers for CPU: shares of 1024 to a CPU, at least 2, at most 2^18; a quota in a period of
// 100 ms, at least 1 ms. KEP-2570 and the kubelet's cgroup manager.
const (
	sharesPerCPU  = 1024
	minShares     = 2
	maxShares     = 262144
	quotaPeriod   = 100000
	minQuota      = 1000
	milliCPUToCPU = 1000
)

// linuxResources are the limits of the container's own cgroup.
func linuxResources(c *Config) *specs.LinuxResources {
	r := c.Container.Resources
	out := &specs.LinuxResources{
		CPU:     cpuLimits(r),
		Devices: []specs.LinuxDeviceCgroup{{Allow: IsPrivileged(c), Access: "rwm"}},
	}
	if limit, ok := r.Limits[corev1.ResourceMemory]; ok {
		bytes := limit.Value()
		// Swap would turn a hard limit into a soft one: on v1 the sum of memory and swap is limited to the same.
		out.Memory = &specs.LinuxMemory{Limit: &bytes, Swap: &bytes}
	}
	for _, size := range slices.Sorted(maps.Keys(c.HugePages)) {
		out.HugepageLimits = append(out.HugepageLimits, specs.LinuxHugepageLimit{Pagesize: size, Limit: c.HugePages[size]})
	}
	if c.OOMGroup {
		out.Unified = map[string]string{"memory.oom.group": "1"}
	}
	return out
}

func cpuLimits(r corev1.ResourceRequirements) *specs.LinuxCPU {
	request := r.Requests.Cpu().MilliValue()
	limit := r.Limits.Cpu().MilliValue()
	if _, asked := r.Requests[corev1.ResourceCPU]; !asked && limit > 0 {
		request = limit
	}
	shares := uint64(min(max(request*sharesPerCPU/milliCPUToCPU, minShares), maxShares))
	cpu := &specs.LinuxCPU{Shares: &shares}
	if limit > 0 {
		quota, period := max(limit*quotaPeriod/milliCPUToCPU, minQuota), uint64(quotaPeriod)
		cpu.Quota, cpu.Period = &quota, &period
	}
	return cpu
}
