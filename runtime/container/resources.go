package container

import (
	"path"
	"slices"
	"strings"

	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

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
		Devices: []specs.LinuxDeviceCgroup{{Allow: isPrivileged(c), Access: "rwm"}},
	}
	if limit, ok := r.Limits[corev1.ResourceMemory]; ok {
		bytes := limit.Value()
		// Swap would turn a hard limit into a soft one: on v1 the sum of memory and swap is limited to the same.
		out.Memory = &specs.LinuxMemory{Limit: &bytes, Swap: &bytes}
	}
	if c.OOMGroup {
		out.Unified = map[string]string{"memory.oom.group": "1"}
	}
	return out
}

// tun makes network interfaces. Of the devices that libcontainer lets every container open, it is the one that is not there:
// a container would make the node itself, with MKNOD.
const (
	tunPath  = "/dev/net/tun"
	tunMajor = 10
	tunMinor = 200
)

// denyTun leaves the device to the containers whose manifest mounts it, or a folder that it is in, from the host.
func denyTun(config *configs.Config, c *Config) {
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
