package volume

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

func configMapFiles(name string, items []corev1.KeyToPath, f File, optional bool, l *Lookup) (Payload, error) {
	object := l.ConfigMap(name)
	if object == nil {
		if optional {
			return Payload{}, nil
		}
		return nil, &notFound{fmt.Sprintf("configmap %q not found", name)}
	}
	values := make(map[string][]byte, len(object.Data)+len(object.BinaryData))
	for key, text := range object.Data {
		values[key] = []byte(text)
	}
	for key, data := range object.BinaryData {
		values[key] = data
	}
	return pick(values, items, f, func(key string) error {
		if optional {
			return nil
		}
		return &notFound{"configmap references non-existent config key: " + key}
	})
}
