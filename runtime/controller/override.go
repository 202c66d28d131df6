package controller

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/objectmeta"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload"
)

// overrides are the fields that were set by hand.
type overrides struct{ m *Manager }

func (m *Manager) overrides() overrides { return overrides{m} }

// Override is one field of an object that somebody has set by hand. It holds until the file changes that field.
type Override struct {
	Path  string          `json:"path"`           // as "spec.replicas"
	Base  json.RawMessage `json:"base,omitempty"` // what the file said then; empty: nothing
	Value json.RawMessage `json:"value"`
	// Pins are the IDs of images, by container, that pods of a template that was put back run.
	Pins map[string]string `json:"pins,omitempty"`
	// Why is the sentence about a template that was given up; "": somebody has asked for the override.
	Why string `json:"why,omitempty"`
}

// override applies what was set by hand to a new version of an object of the folder, and forgets what that version changes.
func (e *entry) override(o workload.Object) workload.Object {
	var kept []Override
	for _, v := range e.overrides {
		if string(fieldOf(o, v.Path)) == string(v.Base) {
			kept = append(kept, v)
		}
	}
	e.overrides = kept
	for _, v := range kept {
		if changed, err := withField(o, v.Path, v.Value); err == nil {
			o = changed
		}
	}
	return e.labelled(o)
}

// labelled shows on an object what was set by hand.
func (e *entry) labelled(o workload.Object) workload.Object {
	var paths []string
	for _, v := range e.overrides {
		paths = append(paths, v.Path)
	}
	annotations := map[string]string{}
	for k, v := range o.GetAnnotations() {
		if k != annotation.OverridesKey {
			annotations[k] = v
		}
	}
	if len(paths) > 0 {
		slices.Sort(paths)
		annotations[annotation.OverridesKey] = strings.Join(paths, ",")
	}
	if len(annotations) == 0 {
		annotations = nil
	}
	objectmeta.Of(o).Annotations = annotations
	return o
}

// Set sets a field of a workload by hand; nil: takes it away. The error is about the value. dryRun: it is judged, and not set.
func (m *Manager) Set(key objects.Key, path string, value any, dryRun bool) error {
	e, err := m.overrides().ownEntry(key)
	if err != nil {
		return err
	}
	var data json.RawMessage
	if value != nil {
		if data, err = json.Marshal(value); err != nil {
			return err
		}
	}
	return m.overrides().setOverride(e, Override{Path: path, Value: data}, dryRun)
}

// Restart gives the pods of a workload successors, as kubectl does: by an annotation of the template.
func (m *Manager) Restart(key objects.Key, now state.Instant, dryRun bool) error {
	e, err := m.overrides().ownEntry(key)
	if err != nil {
		return err
	}
	t := templateOf(e.object)
	if t == nil {
		return fmt.Errorf("%s %q has no pods to restart", key.Kind, key.Name)
	}
	t = t.DeepCopy()
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations["kubectl.kubernetes.io/restartedAt"] = now.Wall.UTC().Format(time.RFC3339)
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return m.overrides().setOverride(e, Override{Path: "spec.template", Value: data}, dryRun)
}

// setOverride takes a value in the place of what the file says, and has it written.
func (ov overrides) setOverride(e *entry, v Override, dryRun bool) error {
	of := ov.m.Objects.Get(e.key.Kind, e.key.Namespace, e.key.Name)
	if of == nil {
		return fmt.Errorf("%s %q: %w", e.key.Kind, e.key.Name, ErrNotFound)
	}
	file := of.Value.(workload.Object)
	v.Base = fieldOf(file, v.Path)
	// The API server's rules are for what somebody writes, which has nothing yet that was made of it.
	if checked, err := withField(file, v.Path, v.Value); err != nil {
		return err
	} else if err := kinds.Check(e.key.Kind, checked); err != nil {
		return err
	}
	changed, err := withField(e.object, v.Path, v.Value)
	if err != nil || dryRun {
		return err
	}
	e.overrides = slices.DeleteFunc(e.overrides, func(old Override) bool { return old.Path == v.Path })
	if string(v.Base) != string(fieldOf(changed, v.Path)) {
		e.overrides = append(e.overrides, v)
	}
	changed = e.labelled(changed)
	numberTemplate(changed, e.object)
	if !sameJSON(specOf(changed), specOf(e.object)) {
		objectmeta.Of(changed).Generation = objectmeta.Of(e.object).Generation + 1
	}
	e.object, e.dirty, e.createError = changed, true, ""
	ov.m.failures().forgive(e)
	ov.m.treeFiles().save(e)
	ov.m.treeFiles().write()
	ov.m.stepper().show(e)
	ov.m.markScales(e)
	return nil
}

// noteOverridden keeps what a controller has changed of its object's spec: the template of a revision that was put back.
func (ov overrides) noteOverridden(e *entry, o workload.Object) {
	if e.parent != "" || sameJSON(specOf(o), specOf(e.object)) {
		return
	}
	v := Override{Path: "spec.template", Value: fieldOf(o, "spec.template")}
	if of := ov.m.Objects.Get(e.key.Kind, e.key.Namespace, e.key.Name); of != nil {
		v.Base = fieldOf(of.Value.(workload.Object), v.Path)
	}
	e.overrides = append(slices.DeleteFunc(e.overrides, func(old Override) bool { return old.Path == v.Path }), v)
	e.labelled(o)
}

// fieldOf is a field of an object as JSON, empty if it is not set.
func fieldOf(o workload.Object, path string) json.RawMessage {
	var tree any
	data, err := json.Marshal(o)
	if err != nil || json.Unmarshal(data, &tree) != nil {
		return nil
	}
	for step := range strings.SplitSeq(path, ".") {
		object, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		if tree, ok = object[step]; !ok {
			return nil
		}
	}
	out, err := json.Marshal(tree)
	if err != nil {
		return nil
	}
	return out
}

// withField is a copy of an object with another value of a field; empty: without it.
func withField(o workload.Object, path string, value json.RawMessage) (workload.Object, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	steps := strings.Split(path, ".")
	at := tree
	for _, step := range steps[:len(steps)-1] {
		next, ok := at[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	last := steps[len(steps)-1]
	delete(at, last)
	if len(value) > 0 {
		at[last] = value
	}
	if data, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	out := blank(versionOf(o).kind)
	return out, json.Unmarshal(data, out)
}

// pinsFor are the images of a pod of a template that was put back.
func (e *entry) pinsFor(*corev1.Pod) map[string]string {
	for _, v := range e.overrides {
		if v.Path == "spec.template" {
			return v.Pins
		}
	}
	return nil
}
