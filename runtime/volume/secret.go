package volume

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

func secretFiles(name string, items []corev1.KeyToPath, f File, optional bool, l *Lookup) (Payload, error) {
	object, err := l.Secret(name)
	if err != nil {
		return nil, &notFound{err.Error()} // it may come yet, sealed for this board
	}
	if object == nil {
		if optional {
			return Payload{}, nil
		}
		return nil, &notFound{fmt.Sprintf("secret %q not found", name)}
	}
	return pick(object.Data, items, f, func(key string) error {
		if optional {
			return nil
		}
		return &notFound{"references non-existent secret key: " + key}
	})
}
