package cgroups

// limits writes what pods may use.
type limits struct{ t *Tree }

func (t *Tree) limits() limits { return limits{t} }

// Resources are the limits of a pod. 0 leaves the kernel's default; −1 means no limit, where a
// limit may have been set before.
type Resources struct {
	CPUShares   uint64            // of version 1; becomes cpu.weight by runc's rule (kubernetes/kubernetes#131216)
	CPUQuotaUS  int64             // CPU time a period, microseconds
	CPUPeriodUS int64             // default 100 ms
	MemoryLimit int64             // bytes
	OOMGroup    bool              // version 2: the OOM killer ends all of the cgroup at once
	PidsLimit   int64             // processes and threads
	Hugepages   map[string]uint64 // limit in bytes by page size as the kernel writes it: "2MB", "1GB"
}

// apply sets everything that r asks for.
func (li limits) apply(cgroup string, r Resources) error {
	for _, set := range []func(string, Resources) error{li.setCPU, li.setMemory, li.setPids, li.setHugetlb} {
		if err := set(cgroup, r); err != nil {
			return err
		}
	}
	return nil
}
