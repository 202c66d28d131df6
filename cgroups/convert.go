package cgroups

import "math"

// Bounds of cpu.shares (kernel/sched/sched.h) and of what Kubernetes asks for.
const (
	MinShares     = 2
	MaxShares     = 262144
	sharesPerCPU  = 1024
	milliPerCPU   = 1000
	minQuotaUS    = 1000 // the kernel refuses less
	DefaultPeriod = 100_000
)

// MilliCPUToShares is the kubelet's rule for cpu requests: 1024 shares a CPU, at least 2.
func MilliCPUToShares(milliCPU int64) uint64 {
	if milliCPU <= 0 {
		return MinShares
	}
	if milliCPU >= MaxShares*milliPerCPU/sharesPerCPU {
		return MaxShares
	}
	return max(uint64(milliCPU)*sharesPerCPU/milliPerCPU, MinShares)
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

// SharesToWeight maps cpu.shares [2, 262144] to cpu.weight [1, 10000] so that the defaults meet
// (1024 and 100): 10 to the power of (log2²+125·log2)/612 − 7/34, rounded up, the rule of runc 1.3.2
// and crun 1.23 (kubernetes/kubernetes#131216). The linear one before gave one CPU a weight of 39.
func SharesToWeight(shares uint64) uint64 {
	switch {
	case shares == 0:
		return 0
	case shares <= MinShares:
		return 1
	case shares >= MaxShares:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}
