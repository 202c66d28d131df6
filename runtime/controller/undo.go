package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"podd/runtime/objects"
)

// Revision is a version that a workload had.
type Revision struct {
	Number   int64
	Template *corev1.PodTemplateSpec
}

// revisions are the versions that are kept of a workload, the oldest first.
func (ov overrides) revisions(e *entry) []Revision {
	var list []Revision
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
			list = append(list, Revision{n, t})
		case *appsv1.ControllerRevision:
			var data struct {
				Spec struct {
					Template *corev1.PodTemplateSpec `json:"template"`
				} `json:"spec"`
			}
			if json.Unmarshal(o.Data.Raw, &data) == nil && data.Spec.Template != nil {
				list = append(list, Revision{o.Revision, data.Spec.Template})
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Number < list[j].Number })
	return list
}

// Undo puts an earlier revision back: that of a number, the one that has a template, or without either the one before. It says which
// it is now, in kubectl's words. dryRun: it is looked for, and not put back.
func (m *Manager) Undo(key objects.Key, to Revision, dryRun bool) (string, error) {
	e, err := m.overrides().ownEntry(key)
	if err != nil {
		return "", err
	}
	target, err := m.overrides().find(e, to)
	if err != nil {
		return "", err
	}
	if d, ok := e.object.(*appsv1.Deployment); ok && d.Spec.Paused {
		return "", fmt.Errorf("you cannot rollback a paused deployment; resume it first with 'podd rollout resume deployment/%s' and try again", key.Name)
	}
	if sameJSON(target.Template, templateOf(e.object)) {
		return fmt.Sprintf("skipped rollback (current template already matches revision %d)", target.Number), nil
	}
	data, err := json.Marshal(target.Template)
	if err != nil {
		return "", err
	}
	return "rolled back", m.overrides().setOverride(e, Override{Path: "spec.template", Value: data}, dryRun)
}

// find is the revision that somebody asks for.
func (ov overrides) find(e *entry, to Revision) (*Revision, error) {
	list := ov.revisions(e)
	is := func(r Revision) bool { return r.Number == to.Number }
	if to.Template != nil {
		is = func(r Revision) bool { return equality.Semantic.DeepEqual(r.Template, to.Template) }
	}
	i := slices.IndexFunc(list, is)
	switch last := len(list) - 1; {
	case i >= 0:
		return &list[i], nil
	case to.Template != nil:
		return nil, errors.New("of spec.template only a kept revision can be put back here: the rest changes with the file")
	case to.Number > 0:
		return nil, fmt.Errorf("unable to find specified revision %d in history", to.Number)
	case last > 0:
		return &list[last-1], nil
	case e.key.Kind == kindDeployment:
		return nil, fmt.Errorf("no rollout history found for deployment %q", e.key.Name)
	}
	return nil, errors.New("no last revision to roll back to")
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
