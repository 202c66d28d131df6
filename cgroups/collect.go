package cgroups

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

// Pod is a pod's cgroup as found.
type Pod struct {
	UID  string
	Path string
}

// Pods finds the pods that have a cgroup in any hierarchy, sorted by path.
func (t *Tree) Pods() ([]Pod, error) {
	var pods []Pod
	for _, qos := range []string{Guaranteed, Burstable, BestEffort} {
		tier, err := t.tierPath(qos)
		if err != nil {
			return nil, err
		}
		for _, dir := range t.dirs(tier) {
			names, err := subdirs(dir)
			if err != nil {
				return nil, fmt.Errorf("cannot list pods in %s: %w", dir, err)
			}
			for _, name := range names {
				if uid, ok := strings.CutPrefix(name, podPrefix); ok {
					pods = append(pods, Pod{UID: uid, Path: path.Join(tier, name)})
				}
			}
		}
	}
	sort.Slice(pods, func(i, j int) bool { return pods[i].Path < pods[j].Path })
	return slices.Compact(pods), nil
}

// Collect ends and removes the pods whose UID is not in keep.
func (t *Tree) Collect(keep map[string]bool) error {
	pods, err := t.Pods()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range pods {
		if keep[p.UID] {
			continue
		}
		errs = append(errs, t.Kill(p.Path), t.RemovePod(p.Path))
	}
	return errors.Join(errs...)
}
