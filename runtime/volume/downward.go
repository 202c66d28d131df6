package volume

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

func downwardFiles(items []corev1.DownwardAPIVolumeFile, base File, l *Lookup) (Payload, error) {
	out := make(Payload, len(items))
	for i := range items {
		f := &items[i]
		var text string
		var err error
		switch {
		case f.FieldRef != nil:
			text, err = l.Field(f.FieldRef)
		case f.ResourceFieldRef != nil:
			text, err = l.Resource(f.ResourceFieldRef)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot make file %q: %w", f.Path, err)
		}
		out[f.Path] = base.with([]byte(text), f.Mode, f.User)
	}
	return out, nil
}
