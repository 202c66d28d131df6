package runtime

import (
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
)

// continued remembers which pod a manifest continues that was changed in place: the manifest's UID follows from its
// content, the pod's must not. It is on disk, because volumes and logs go by the pod's UID over reboots, and it
// is written only when somebody edits a manifest.
type continued struct {
	path string
	of   map[types.UID]types.UID // the pod's, by the manifest's
}

func (c *continued) read() error {
	c.of = map[types.UID]types.UID{}
	err := atomicfile.LoadJSON(c.path, &c.of, func() error {
		for manifest, pod := range c.of {
			if manifest == "" || pod == "" {
				return errors.New("it names a pod without a UID")
			}
		}
		return nil
	})
	if err != nil {
		c.of = map[types.UID]types.UID{}
	}
	return err
}

// set notes that manifest continues pod, and that no other one does. It says whether that is news.
func (c *continued) set(manifest, pod types.UID) bool {
	if c.of[manifest] == pod || manifest == pod && !c.continues(pod) {
		return false
	}
	c.drop(pod)
	if manifest != pod {
		c.of[manifest] = pod
	}
	return true
}

func (c *continued) continues(pod types.UID) bool {
	for _, p := range c.of {
		if p == pod {
			return true
		}
	}
	return false
}

// drop forgets what continued a pod. It says whether anything did.
func (c *continued) drop(pod types.UID) bool {
	found := false
	for manifest, p := range c.of {
		if p == pod {
			delete(c.of, manifest)
			found = true
		}
	}
	return found
}
