package debug

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// customize lays what --custom says over a container, as a strategic merge patch does.
func customize(c, custom *corev1.Container) error {
	if custom == nil {
		return nil
	}
	under, err := fieldsOf(c)
	if err != nil {
		return err
	}
	over, err := fieldsOf(custom)
	if err != nil {
		return err
	}
	delete(over, "name") // is always written
	data, err := json.Marshal(merge(under, over))
	if err != nil {
		return fmt.Errorf("cannot apply the custom profile: %w", err)
	}
	merged := corev1.Container{}
	if err := json.Unmarshal(data, &merged); err != nil {
		return fmt.Errorf("cannot apply the custom profile: %w", err)
	}
	*c = merged
	return nil
}

func fieldsOf(c *corev1.Container) (map[string]any, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot apply the custom profile: %w", err)
	}
	fields := map[string]any{}
	return fields, json.Unmarshal(data, &fields)
}

// mergeKey is by which field the elements of a container's list are told apart (patchMergeKey of k8s.io/api/core/v1); "": the
// list is taken as a whole.
func mergeKey(list string) string {
	switch list {
	case "env":
		return "name"
	case "ports":
		return "containerPort"
	case "volumeMounts":
		return "mountPath"
	}
	return ""
}

func merge(under, over map[string]any) map[string]any {
	for name, value := range over {
		switch value := value.(type) {
		case map[string]any:
			if below, ok := under[name].(map[string]any); ok {
				under[name] = merge(below, value)
				continue
			}
		case []any:
			if below, ok := under[name].([]any); ok && mergeKey(name) != "" {
				under[name] = mergeList(below, value, mergeKey(name))
				continue
			}
		}
		under[name] = value
	}
	return under
}

func mergeList(under, over []any, key string) []any {
next:
	for _, o := range over {
		o, _ := o.(map[string]any)
		for i, u := range under {
			if u, _ := u.(map[string]any); u[key] == o[key] {
				under[i] = merge(u, o)
				continue next
			}
		}
		under = append(under, o)
	}
	return under
}
