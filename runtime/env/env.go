// Package env works out the environment of a container from its manifest and from what that refers to. It is pure:
// whoever calls it brings what it needs to know. The rules are the kubelet's (pkg/kubelet/kubelet_pods.go,
// makeEnvironmentVariables).
package env

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Var is one variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Source is what a container's environment may refer to. The functions return an error that is fit to be shown, and
// one that is ErrNotFound for what is not there.
type Source struct {
	Pod         *corev1.Pod // with its UID, node and addresses
	Allocatable corev1.ResourceList
	Services    []Var // those of enableServiceLinks
	ConfigMap   func(name string) (*corev1.ConfigMap, error)
	Secret      func(name string) (*corev1.Secret, error)
	// File reads a file of one of the pod's volumes, or what exceeds MaxFile in part.
	File func(volume, path string) ([]byte, error)
}

// ErrNotFound says that an object or a key is not there; an optional reference to it counts for nothing.
var ErrNotFound = errors.New("not found")

// NotFound is an ErrNotFound in the words of the API's clients: configmap "x" not found.
func NotFound(kind, name string) error { return &missing{fmt.Sprintf("%s %q not found", kind, name)} }

type missing struct{ text string }

func (m *missing) Error() string      { return m.text }
func (*missing) Is(target error) bool { return target == ErrNotFound }

// Refers says whether a container's environment depends on more than its manifest.
func Refers(c *corev1.Container) bool {
	return len(c.EnvFrom) > 0 || slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.ValueFrom != nil })
}

// Resolve returns the variables of a container, each name once, in the order of its first mention: envFrom, then env,
// then the Services'. A later mention replaces the value of an earlier one. expand replaces the references of a value
// by what lookup knows.
func Resolve(c *corev1.Container, s *Source, expand func(text string, lookup func(string) (string, bool)) string) ([]Var, error) {
	e := &environment{at: map[string]int{}}
	for i := range c.EnvFrom {
		if err := e.from(&c.EnvFrom[i], s); err != nil {
			return nil, err
		}
	}
	services := make(map[string]string, len(s.Services))
	for _, v := range s.Services {
		services[v.Name] = v.Value
	}
	lookup := func(name string) (string, bool) {
		if i, ok := e.at[name]; ok {
			return e.vars[i].Value, true
		}
		value, ok := services[name]
		return value, ok
	}
	for i := range c.Env {
		v := &c.Env[i]
		switch {
		case v.Value != "":
			e.set(v.Name, expand(v.Value, lookup))
		case v.ValueFrom == nil:
			e.set(v.Name, "")
		default:
			value, err := valueFrom(v.ValueFrom, c, s)
			if errors.Is(err, errSkipped) {
				continue
			}
			if err != nil {
				return nil, err
			}
			e.set(v.Name, value)
		}
	}
	for _, v := range s.Services {
		if _, ok := e.at[v.Name]; !ok {
			e.set(v.Name, v.Value)
		}
	}
	return e.vars, nil
}

type environment struct {
	vars []Var
	at   map[string]int
}

func (e *environment) set(name, value string) {
	if i, ok := e.at[name]; ok {
		e.vars[i].Value = value
		return
	}
	e.at[name] = len(e.vars)
	e.vars = append(e.vars, Var{name, value})
}

// from takes all keys of a ConfigMap or Secret. Keys have only characters that a name may have, in the rules that hold
// since Kubernetes 1.34; none is left out.
func (e *environment) from(f *corev1.EnvFromSource, s *Source) error {
	switch {
	case f.ConfigMapRef != nil:
		c, err := s.ConfigMap(f.ConfigMapRef.Name)
		if err != nil {
			return unlessOptional(f.ConfigMapRef.Optional, err)
		}
		for _, k := range slices.Sorted(maps.Keys(c.Data)) {
			e.set(f.Prefix+k, c.Data[k])
		}
	case f.SecretRef != nil:
		c, err := s.Secret(f.SecretRef.Name)
		if err != nil {
			return unlessOptional(f.SecretRef.Optional, err)
		}
		for _, k := range slices.Sorted(maps.Keys(c.Data)) {
			e.set(f.Prefix+k, string(c.Data[k]))
		}
	}
	return nil
}

// errSkipped says that an optional reference leads nowhere: the variable is not set.
var errSkipped = errors.New("skipped")

func unlessOptional(optional *bool, err error) error {
	if optional != nil && *optional && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func valueFrom(f *corev1.EnvVarSource, c *corev1.Container, s *Source) (value string, err error) {
	var optional *bool
	switch {
	case f.FieldRef != nil:
		return Field(s.Pod, f.FieldRef.FieldPath)
	case f.ResourceFieldRef != nil:
		return Resource(s.Pod, cmp.Or(f.ResourceFieldRef.ContainerName, c.Name), f.ResourceFieldRef, s.Allocatable)
	case f.ConfigMapKeyRef != nil:
		optional = f.ConfigMapKeyRef.Optional
		value, err = configMapKey(f.ConfigMapKeyRef, s)
	case f.SecretKeyRef != nil:
		optional = f.SecretKeyRef.Optional
		value, err = secretKey(f.SecretKeyRef, s)
	case f.FileKeyRef != nil:
		optional = f.FileKeyRef.Optional
		value, err = fileKey(f.FileKeyRef, s)
	}
	if err != nil && unlessOptional(optional, err) == nil {
		return "", errSkipped
	}
	return value, err
}

func configMapKey(r *corev1.ConfigMapKeySelector, s *Source) (string, error) {
	c, err := s.ConfigMap(r.Name)
	if err != nil {
		return "", err
	}
	value, ok := c.Data[r.Key]
	if !ok {
		return "", &missing{fmt.Sprintf("couldn't find key %v in ConfigMap %v/%v", r.Key, s.Pod.Namespace, r.Name)}
	}
	return value, nil
}

func secretKey(r *corev1.SecretKeySelector, s *Source) (string, error) {
	c, err := s.Secret(r.Name)
	if err != nil {
		return "", err
	}
	value, ok := c.Data[r.Key]
	if !ok {
		return "", &missing{fmt.Sprintf("couldn't find key %v in Secret %v/%v", r.Key, s.Pod.Namespace, r.Name)}
	}
	return string(value), nil
}
