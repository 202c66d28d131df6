package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// QoS classes as EnsurePod takes them.
const (
	Guaranteed = "guaranteed"
	Burstable  = "burstable"
	BestEffort = "besteffort"
)

// podPrefix is what the kubelet's cgroupfs driver puts before the UID.
const podPrefix = "pod"

// EnsurePod makes the pod's cgroup with its limits and returns its path, to which libcontainer's
// Cgroup.Path adds the container. Hierarchies in which a pod has no limit get their folder with
// the first container.
// errors.Is ErrNoController: a limit cannot be kept here.
func (t *Tree) EnsurePod(uid, qos string, r Resources) (string, error) {
	if uid == "" || strings.ContainsAny(uid, "/\x00\n") {
		return "", fmt.Errorf("cannot make cgroup for pod %q: %w", uid, os.ErrInvalid)
	}
	pod, err := t.PodPath(uid, qos)
	if err != nil {
		return "", err
	}
	tier := path.Dir(pod)
	err = t.makePod(tier, pod, r)
	if errors.Is(err, os.ErrNotExist) { // somebody removed the tier
		t.tierLevels().forgetTier(tier)
		err = t.makePod(tier, pod, r)
	}
	if err != nil {
		return "", fmt.Errorf("cannot make cgroup for pod %q: %w", uid, err)
	}
	if err := t.limits().apply(pod, r); err != nil {
		return "", fmt.Errorf("cannot limit pod %q: %w", uid, err)
	}
	return pod, nil
}

func (t *Tree) makePod(tier, pod string, r Resources) error {
	if err := t.tierLevels().ensureTier(tier); err != nil {
		return err
	}
	for _, dir := range t.limits().limitDirs(pod, r) {
		if _, err := ensureDir(dir); err != nil {
			return err
		}
	}
	if t.version == 2 {
		_, err := t.delegation().handDown(t.dirs(pod)[0], t.controllers)
		return err
	}
	return nil
}

// limitDirs are the folders that take limits, each once: controllers may share a hierarchy.
func (li limits) limitDirs(cgroup string, r Resources) []string {
	if li.t.version == 2 {
		return li.t.dirs(cgroup)
	}
	want := []string{"cpu", "memory", "pids"}
	if len(r.Hugepages) > 0 {
		want = append(want, "hugetlb")
	}
	var dirs []string
	for _, controller := range want {
		dir, err := li.t.dirFor(controller, cgroup)
		if err == nil && (len(dirs) == 0 || dirs[len(dirs)-1] != dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// isPod holds every verb that deletes or kills to what is strictly below kubepods.
func (t *Tree) isPod(cgroup string) error {
	rest, ok := strings.CutPrefix(cgroup, t.kubepods()+"/")
	if !ok || rest == "" || path.Clean(cgroup) != cgroup || !filepath.IsLocal(rest) ||
		rest == Burstable || rest == BestEffort {
		return fmt.Errorf("cannot use cgroup %q: %w", cgroup, ErrForeignPath)
	}
	return nil
}
