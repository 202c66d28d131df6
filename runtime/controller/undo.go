package controller

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/objects"
)

// revisionOf is one version that a workload had, with its number.
type revisionOf struct {
	number   int64
	template *corev1.PodTemplateSpec
}

// revisions are the versions that are kept of a workload, the oldest first.
func (ov overrides) revisions(e *entry) []revisionOf {
	var list []revisionOf
	for _, child := range ov.m.entries {
		if child.parent != e.object.GetUID() {
			continue
		}
		switch o := child.object.(type) {
		case *appsv1.ReplicaSet:
			n, err := strconv.ParseInt(o.Annotations["deployment.kubernetes.io/revision"], 10, 64)
			if err != nil {
				continue
			}
			t := o.Spec.Template.DeepCopy()
			delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
			list = append(list, revisionOf{n, t})
		case *appsv1.ControllerRevision:
			var data struct {
				Spec struct {
					Template *corev1.PodTemplateSpec `json:"template"`
				} `json:"spec"`
			}
			if json.Unmarshal(o.Data.Raw, &data) == nil && data.Spec.Template != nil {
				list = append(list, revisionOf{o.Revision, data.Spec.Template})
			}
		}
	}
	slices.SortFunc(list, func(a, b revisionOf) int { return int(a.number - b.number) })
	return list
}

// Undo puts the template of an earlier revision back; 0: that of the one before. It says which it is now, in kubectl's words.
func (m *Manager) Undo(key objects.Key, to int64) (string, error) {
	e, err := m.overrides().ownEntry(key)
	if err != nil {
		return "", err
	}
	list := m.overrides().revisions(e)
	var target *revisionOf
	switch {
	case to == 0 && len(list) < 2:
		return "", fmt.Errorf("no rollout history found for %s %q", key.Kind, key.Name)
	case to == 0:
		target = &list[len(list)-2]
	default:
		i := slices.IndexFunc(list, func(r revisionOf) bool { return r.number == to })
		if i < 0 {
			return "", fmt.Errorf("unable to find specified revision %d in history", to)
		}
		target = &list[i]
	}
	if d, ok := e.object.(*appsv1.Deployment); ok && d.Spec.Paused {
		return "", fmt.Errorf("you cannot rollback a paused deployment; resume it first with 'podd rollout resume deployment/%s' and try again", key.Name)
	}
	if sameJSON(target.template, templateOf(e.object)) {
		return fmt.Sprintf("skipped rollback (current template already matches revision %d)", target.number), nil
	}
	data, err := json.Marshal(target.template)
	if err != nil {
		return "", err
	}
	return "rolled back", m.overrides().setOverride(e, Override{Path: "spec.template", Value: data})
}

// ownEntry is the entry of an object that may be set by hand.
func (ov overrides) ownEntry(key objects.Key) (*entry, error) {
	e := ov.m.get(key.Kind, key.Namespace, key.Name)
	if why := ov.m.never[key]; e == nil && why != "" {
		return nil, fmt.Errorf("%s %q was refused: %s", key.Kind, key.Name, why)
	}
	if e == nil {
		return nil, fmt.Errorf("%s %q: %w", key.Kind, key.Name, ErrNotFound)
	}
	if root := ov.m.root(e); root != e {
		return nil, fmt.Errorf("%s %q belongs to %s %q: change that", key.Kind, key.Name, root.key.Kind, root.key.Name)
	}
	return e, nil
}
