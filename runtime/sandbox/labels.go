package sandbox

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/lsm"
	"podd/runtime/container/spec"
	"podd/runtime/sandbox/mcs"
	"podd/runtime/state"
)

// Levels give pods SELinux levels of their own.
type Levels interface {
	Acquire(id string) (mcs.Pair, error)
	Claim(id string, p mcs.Pair) error
	Lookup(id string) (mcs.Pair, bool)
	Release(id string) error
	Collect(keep map[string]bool) error
}

// acquireLevel gives a pod its level, where labels have levels.
func (m *Manager) acquireLevel(rec *state.Record) error {
	if !m.Engine.Modules.HasLevels() {
		return nil
	}
	if _, err := m.Levels.Acquire(string(rec.UID)); err != nil {
		return fmt.Errorf("cannot lease pod %q an SELinux level: %w", rec.Object.Name, err)
	}
	return nil
}

// adoptLevel leases a pod that runs the level that its processes have, in case that lease was lost; one that an earlier podd has
// started without gets one for the containers to come.
func (m *Manager) adoptLevel(rec *state.Record) error {
	if !m.Engine.Modules.HasLevels() {
		return nil
	}
	for _, c := range rec.Containers {
		if !c.State.Alive() || lsm.LevelAsked(rec.Object, rec.Spec(c.Name)) {
			continue
		}
		pair, ok := mcs.Parse(m.Engine.Modules.LevelOf(c.PID))
		if !ok {
			continue
		}
		if err := m.Levels.Claim(string(rec.UID), pair); err != nil {
			return fmt.Errorf("cannot lease pod %q the SELinux level %s that it has: %w", rec.Object.Name, pair.Level(), err)
		}
		return nil
	}
	return m.acquireLevel(rec)
}

// levelOf is the SELinux level of a pod, "" where it has none.
func (m *Manager) levelOf(rec *state.Record) string {
	if !m.Engine.Modules.HasLevels() {
		return ""
	}
	pair, ok := m.Levels.Lookup(string(rec.UID))
	if !ok {
		return ""
	}
	return pair.Level()
}

// VolumeLabel is the SELinux label of the files of a volume that podd makes for a pod: that of the first container that mounts
// it. "": they get none.
func (m *Manager) VolumeLabel(rec *state.Record, volume string) (string, error) {
	if !m.Engine.Modules.Labelling() {
		return "", nil
	}
	for _, list := range [][]corev1.Container{rec.Object.Spec.InitContainers, rec.Object.Spec.Containers} {
		for i := range list {
			if spec.Mounts(&list[i], volume) {
				labels, err := m.Engine.Modules.Labels(rec.Object, &list[i], m.levelOf(rec))
				return labels.Mount, err
			}
		}
	}
	return "", nil
}
