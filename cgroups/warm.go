package cgroups

// Warm lets the next process be moved into its cgroup without delay.
//
// Moving one locks all forks out (cgroup_threadgroup_rwsem), and after some 15 ms without a move the
// lock first waits for an RCU grace period: 5 to 15 ms of doing nothing, within which the kernel makes
// no cgroups either. Warm moves the daemon to where it is already. Called beside the work that comes
// before a container's first process, after EnsurePod, it takes the waiting out of the way. A failure
// costs only time, so there is none.
func (t *Tree) Warm() {
	if t.ownDir != "" {
		_ = t.write(t.ownDir, "cgroup.procs", "0")
	}
}
