package cgroups

import (
	"math"
	"testing"
	"testing/quick"

	oc "github.com/opencontainers/cgroups"
)

func TestMilliCPUToShares(t *testing.T) {
	for milli, want := range map[int64]uint64{
		math.MinInt64: 2, -1: 2, 0: 2, 1: 2, 2: 2, 3: 3, 100: 102, 250: 256, 1000: 1024, 2000: 2048,
		255_999: 262142, 256_000: 262144, math.MaxInt64: 262144,
	} {
		if got := MilliCPUToShares(milli); got != want {
			t.Errorf("MilliCPUToShares(%d) = %d, want %d", milli, got, want)
		}
	}
}

func TestMilliCPUToQuota(t *testing.T) {
	for _, c := range []struct{ milli, period, want int64 }{
		{0, 100_000, 0},
		{-5, 100_000, 0},
		{1, 100_000, 1000},
		{10, 100_000, 1000},
		{11, 100_000, 1100},
		{500, 100_000, 50_000},
		{2000, 100_000, 200_000},
		{200, 5000, 1000},
		{1000, 0, 0},
	} {
		if got := MilliCPUToQuota(c.milli, c.period); got != c.want {
			t.Errorf("MilliCPUToQuota(%d, %d) = %d, want %d", c.milli, c.period, got, c.want)
		}
	}
}

// More CPU never means less of anything, and nothing overflows.
func TestConversionsGrow(t *testing.T) {
	grow := func(a, b int64) bool {
		a, b = min(a, b), max(a, b)
		return MilliCPUToShares(a) <= MilliCPUToShares(b) &&
			MilliCPUToQuota(a, defaultPeriod) <= MilliCPUToQuota(b, defaultPeriod) &&
			MilliCPUToQuota(b, defaultPeriod) >= 0 &&
			oc.ConvertCPUSharesToCgroupV2Value(MilliCPUToShares(a)) <= oc.ConvertCPUSharesToCgroupV2Value(MilliCPUToShares(b))
	}
	if err := quick.Check(grow, nil); err != nil {
		t.Error(err)
	}
	small := func(a, b uint16) bool { return grow(int64(a), int64(b)) }
	if err := quick.Check(small, nil); err != nil {
		t.Error(err)
	}
}
