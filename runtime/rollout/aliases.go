package rollout

import (
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
)

// uidAliases remember which pod a manifest continues that was changed in place: the manifest's UID follows from its
// content, the pod's must not. It is on disk, because volumes and logs go by the pod's UID over reboots, and it
// is written only when somebody edits a manifest.
type uidAliases struct {
	path string
	of   map[types.UID]types.UID // the pod's, by the manifest's
}

func (a *uidAliases) read() error {
	a.of = map[types.UID]types.UID{}
	err := atomicfile.LoadJSON(a.path, &a.of, func() error {
		for manifest, pod := range a.of {
			if manifest == "" || pod == "" {
				return errors.New("it names a pod without a UID")
			}
		}
		return nil
	})
	if err != nil {
		a.of = map[types.UID]types.UID{}
	}
	return err
}

// set notes that manifest continues pod, and that no other one does. It says whether that is news.
func (a *uidAliases) set(manifest, pod types.UID) bool {
	if a.of[manifest] == pod || manifest == pod && !a.continues(pod) {
		return false
	}
	a.drop(pod)
	if manifest != pod {
		a.of[manifest] = pod
	}
	return true
}

func (a *uidAliases) continues(pod types.UID) bool {
	for _, p := range a.of {
		if p == pod {
			return true
		}
	}
	return false
}

// drop forgets what continued a pod. It says whether anything did.
func (a *uidAliases) drop(pod types.UID) bool {
	found := false
	for manifest, p := range a.of {
		if p == pod {
			delete(a.of, manifest)
			found = true
		}
	}
	return found
}
