package cgroups

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// tierLevels are the cgroups of the QoS classes, and what is above them.
type tierLevels struct{ t *Tree }

func (t *Tree) tierLevels() tierLevels { return tierLevels{t} }

func (t *Tree) tierPath(qos string) (string, error) {
	switch qos {
	case Guaranteed:
		return t.kubepods(), nil
	case Burstable, BestEffort:
		return path.Join(t.kubepods(), qos), nil
	}
	return "", fmt.Errorf("cannot place QoS class %q: %w", qos, os.ErrInvalid)
}

// PodPath is the path that EnsurePod gives, without making anything.
func (t *Tree) PodPath(uid, qos string) (string, error) {
	tier, err := t.tierPath(qos)
	if err != nil {
		return "", err
	}
	return path.Join(tier, podPrefix+uid), nil
}

// SetTierShares gives a whole class its share of the CPU. The kubelet gives burstable the sum of
// its pods' requests (at least 2), besteffort 2, and kubepods itself (guaranteed) what the node
// can allocate; see MilliCPUToShares.
func (t *Tree) SetTierShares(qos string, shares uint64) error {
	tier, err := t.tierPath(qos)
	if err != nil {
		return err
	}
	if err := t.tierLevels().ensureTier(tier); err != nil {
		return err
	}
	dir, err := t.dirFor("cpu", tier)
	if err != nil {
		return err
	}
	return t.limits().setShares(dir, max(shares, minShares))
}

// ensureTier makes kubepods and the tier, once per process.
func (tl tierLevels) ensureTier(tier string) error {
	tl.t.mu.Lock()
	defer tl.t.mu.Unlock()
	if tl.t.tiers[tier] {
		return nil
	}
	levels := []string{tl.t.kubepods()}
	if tier != tl.t.kubepods() {
		levels = append(levels, tier)
	}
	for _, level := range levels {
		if err := tl.ensureLevel(level, tier); err != nil {
			return err
		}
	}
	tl.t.tiers[tier] = true
	return nil
}

func (tl tierLevels) ensureLevel(level, tier string) error {
	fresh := false
	for _, dir := range tl.t.limits().limitDirs(level, Resources{Hugepages: map[string]uint64{"": 0}}) {
		if tl.t.parent != "/" {
			if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
				return fmt.Errorf("cannot make cgroup: %w", err)
			}
		}
		made, err := ensureDir(dir)
		if err != nil {
			return err
		}
		fresh = fresh || made
	}
	if tl.t.version == 2 {
		if _, err := tl.t.delegation().handDown(tl.t.dirs(level)[0], tl.t.controllers); err != nil {
			return err
		}
	}
	if !fresh || level != tier || tier == tl.t.kubepods() {
		return nil
	}
	dir, err := tl.t.dirFor("cpu", tier)
	if err != nil {
		return nil // without the controller there is nothing to share
	}
	return tl.t.limits().setShares(dir, minShares)
}

// forgetTier makes the next ensureTier look again.
func (tl tierLevels) forgetTier(tier string) {
	tl.t.mu.Lock()
	defer tl.t.mu.Unlock()
	delete(tl.t.tiers, tier)
}
