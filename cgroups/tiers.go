package cgroups

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
)

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
	if err := t.ensureTier(tier); err != nil {
		return err
	}
	dir, err := t.dirFor("cpu", tier)
	if err != nil {
		return err
	}
	return t.setShares(dir, max(shares, MinShares))
}

// ensureTier makes kubepods and the tier, once per process.
func (t *Tree) ensureTier(tier string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tiers[tier] {
		return nil
	}
	levels := []string{t.kubepods()}
	if tier != t.kubepods() {
		levels = append(levels, tier)
	}
	for _, level := range levels {
		if err := t.ensureLevel(level, tier); err != nil {
			return err
		}
	}
	t.tiers[tier] = true
	return nil
}

func (t *Tree) ensureLevel(level, tier string) error {
	fresh := false
	for _, dir := range t.limitDirs(level, Resources{Hugepages: map[string]uint64{"": 0}}) {
		if t.parent != "/" {
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
	if t.version == 2 {
		if _, err := t.handDown(t.dirs(level)[0], t.controllers); err != nil {
			return err
		}
	}
	if !fresh || level != tier || tier == t.kubepods() {
		return nil
	}
	dir, err := t.dirFor("cpu", tier)
	if err != nil {
		return nil // without the controller there is nothing to share
	}
	return t.setShares(dir, MinShares)
}

// forgetTier makes the next ensureTier look again.
func (t *Tree) forgetTier(tier string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tiers, tier)
}
