package cgroups

import (
	"os"
	"strconv"

	oc "github.com/opencontainers/cgroups"
)

func (li limits) setCPU(cgroup string, r Resources) error {
	if r.CPUShares == 0 && r.CPUQuotaUS == 0 {
		return nil
	}
	dir, err := li.t.dirFor("cpu", cgroup)
	if err != nil {
		return err
	}
	if err := li.setShares(dir, r.CPUShares); err != nil {
		return err
	}
	if r.CPUQuotaUS == 0 {
		return nil
	}
	period := r.CPUPeriodUS
	if period == 0 {
		period = defaultPeriod
	}
	if li.t.version == 2 {
		return li.t.write(dir, "cpu.max", cpuMax(r.CPUQuotaUS, period))
	}
	if err := li.t.writeInt(dir, "cpu.cfs_period_us", period); err != nil {
		return err
	}
	return li.t.writeInt(dir, "cpu.cfs_quota_us", max(r.CPUQuotaUS, -1))
}

func (li limits) setShares(dir string, shares uint64) error {
	switch {
	case shares == 0:
		return nil
	case li.t.version == 2:
		return li.t.write(dir, "cpu.weight", strconv.FormatUint(oc.ConvertCPUSharesToCgroupV2Value(shares), 10))
	}
	shares = min(max(shares, minShares), maxShares)
	return li.t.write(dir, "cpu.shares", strconv.FormatUint(shares, 10))
}

func cpuMax(quota, period int64) string {
	p := strconv.FormatInt(period, 10)
	if quota < 0 {
		return "max " + p
	}
	return strconv.FormatInt(quota, 10) + " " + p
}

// cpuNanos is the CPU time used so far.
func (t *Tree) cpuNanos(cgroup string) (uint64, error) {
	if t.version == 2 {
		// There without the cpu controller too.
		micros, err := readKey(t.dirs(cgroup)[0], "cpu.stat", "usage_usec")
		return micros * 1000, err
	}
	dir, err := t.dirFor("cpuacct", cgroup)
	if err != nil {
		return 0, os.ErrNotExist
	}
	return readUint(dir, "cpuacct.usage")
}
