package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
)

// ReadFile reads a record that is in one of these states; of none: in any. The error is an *atomicfile.Damage if it cannot
// be believed.
func ReadFile(path string, states ...PodState) (*Record, error) {
	rec := &Record{}
	err := atomicfile.PeekJSON(path, rec, func() error {
		if len(rec.Raw) == 0 {
			return errors.New("it names no pod")
		}
		rec.Object = &corev1.Pod{}
		if err := json.Unmarshal(rec.Raw, rec.Object); err != nil {
			return err
		}
		if len(states) > 0 && !slices.Contains(states, rec.State) {
			return fmt.Errorf("its pod is %q", rec.State)
		}
		return rec.check(strings.TrimSuffix(filepath.Base(path), ".json"))
	})
	if err != nil {
		return nil, err
	}
	if rec.Conditions == nil {
		rec.Conditions = map[string]ConditionRecord{}
	}
	return rec, nil
}

// check refuses what no podd has written: everything after it relies on what is checked here.
func (r *Record) check(uid string) error {
	o := r.Object
	switch {
	case string(r.UID) != uid || uid == "":
		return fmt.Errorf("it is of pod %q", r.UID)
	case o.Name == "" || o.Namespace == "" || strings.Contains(o.Name+o.Namespace, "/"):
		return fmt.Errorf("its pod is %q in namespace %q", o.Name, o.Namespace)
	case !r.State.known():
		return fmt.Errorf("its pod is %q", r.State)
	case r.State == PodStopping && r.Stop == nil, r.State == PodFinishing && r.Finish == nil:
		return fmt.Errorf("its pod is %s and nothing says since when", r.State)
	}
	seen := map[string]bool{}
	for _, c := range r.Containers {
		if c == nil || r.Spec(c.Name) == nil || seen[c.Name] {
			return errors.New("it names containers that its pod does not have")
		}
		seen[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("container %s: %w", c.Name, err)
		}
	}
	if len(seen) != len(o.Spec.Containers)+len(o.Spec.InitContainers)+len(r.Ephemeral) {
		return errors.New("it lacks containers that its pod has")
	}
	return nil
}

// maxAttempt is more than a container is started in the life of a board.
const maxAttempt = 1 << 40

func (c *ContainerRecord) check() error {
	switch {
	case !c.State.known():
		return fmt.Errorf("its state is %q", c.State)
	case c.Kind != KindMain && c.Kind != KindInit && c.Kind != KindSidecar && c.Kind != KindEphemeral:
		return fmt.Errorf("its kind is %q", c.Kind)
	case c.Attempt < -1 || int64(c.Attempt) > maxAttempt || c.Base < 0 || c.Attempt < 0 && c.State != ContainerWaiting:
		return fmt.Errorf("its attempt is %d", c.Attempt)
	case c.State.Alive() && (c.Started == nil || c.PID <= 1):
		return fmt.Errorf("it is %s and has no process", c.State)
	}
	return nil
}

func (s PodState) known() bool {
	switch s {
	case PodWaiting, PodRunning, PodFinishing, PodFinished, PodStopping, PodGone:
		return true
	}
	return false
}

func (s ContainerState) known() bool {
	switch s {
	case ContainerWaiting, ContainerStarting, ContainerExited, ContainerCollected:
		return true
	}
	return s.Alive()
}
