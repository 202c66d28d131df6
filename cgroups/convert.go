package cgroups

import "math"

// Bounds of cpu.shares (kernel/sched/sched.h) and of what Kubernetes asks for.
const (
	minShares     = 2
	maxShares     = 262144
	sharesPerCPU  = 1024
	milliPerCPU   = 1000
	minQuotaUS    = 1000 // the kernel refuses less
	defaultPeriod = 100_000
)

// MilliCPUToShares is the kubelet's rule for cpu requests: 1024 shares a CPU, at least 2.
func MilliCPUToShares(milliCPU int64) uint64 {
	if milliCPU <= 0 {
		return minShares
	}
	if milliCPU >= maxShares*milliPerCPU/sharesPerCPU {
		return maxShares
	}
	return max(uint64(milliCPU)*sharesPerCPU/milliPerCPU, minShares)
}

// MilliCPUToQuota is the kubelet's rule for cpu limits: microseconds of CPU time a period, at least
// 1 ms; 0 for no limit.
func MilliCPUToQuota(milliCPU, periodUS int64) int64 {
	if milliCPU <= 0 || periodUS <= 0 {
		return 0
	}
	if milliCPU > math.MaxInt64/periodUS {
		return math.MaxInt64 / milliPerCPU
	}
	return max(milliCPU*periodUS/milliPerCPU, minQuotaUS)
}
