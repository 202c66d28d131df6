package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/container"
	"podd/runtime/env"
	"podd/runtime/state"
	"podd/runtime/status"
	"podd/runtime/volume"
)

// configError is what keeps a container from being configured; the text is the kubelet's and is shown as it is.
type configError struct{ error }

func (configError) Is(target error) bool { return target == container.ErrConfig }
func (c configError) Unwrap() error      { return c.error }

// resolveEnv works out the environment of an attempt that is about to start, and keeps it for as long as that lives. It
// is nil for a container whose manifest says all.
func (op *operation) resolveEnv(name string, attempt int) ([]corev1.EnvVar, error) {
	r, rec := op.r, op.rec
	spec := rec.Spec(name)
	pod := r.podWithAddresses(rec)
	source := &env.Source{
		Pod: pod, Allocatable: r.allocatable(), Services: r.serviceLinks(pod),
		ConfigMap: func(name string) (*corev1.ConfigMap, error) { return r.objects.configMap(pod.Namespace, name) },
		Secret:    func(name string) (*corev1.Secret, error) { return r.objects.secret(pod.Namespace, name) },
		File:      op.volumeFile,
	}
	if !env.Refers(spec) && len(source.Services) == 0 {
		return nil, nil
	}
	vars, err := env.Resolve(spec, source, container.Expand)
	if err != nil {
		return nil, configError{err}
	}
	out := make([]corev1.EnvVar, len(vars))
	for i, v := range vars {
		out[i] = corev1.EnvVar{Name: v.Name, Value: v.Value}
	}
	return out, keepEnv(r.paths.Env(rec.UID, name, attempt), out)
}

func keepEnv(path string, vars []corev1.EnvVar) error {
	data, err := json.Marshal(vars)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the environment of a container: %w", err)
	}
	return nil
}

// savedEnv is what resolveEnv found for an attempt.
func (r *Runtime) savedEnv(uid types.UID, name string, attempt int) []corev1.EnvVar {
	var vars []corev1.EnvVar
	if err := atomicfile.LoadJSON(r.paths.Env(uid, name, attempt), &vars, nil); err != nil {
		r.restored(err, fmt.Sprintf("commands and probes in container %s run without the variables that come from elsewhere, until it starts again", name))
		return nil
	}
	return vars
}

// podWithAddresses is a pod as the downward API sees it.
func (r *Runtime) podWithAddresses(rec *state.Record) *corev1.Pod {
	p := *rec.Object
	p.UID = rec.UID
	p.Spec.NodeName = r.NodeName
	ips := r.hostIPs.get(r.HostIPs)
	p.Status.HostIPs = status.HostIPs(ips)
	if len(ips) > 0 {
		p.Status.HostIP = ips[0].String()
	}
	p.Status.PodIPs = rec.Sandbox.PodIPs()
	if p.Spec.HostNetwork {
		for _, ip := range p.Status.HostIPs {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP(ip))
		}
	}
	if len(p.Status.PodIPs) > 0 {
		p.Status.PodIP = p.Status.PodIPs[0].IP
	}
	return &p
}

func (o *objects) configMap(namespace, name string) (*corev1.ConfigMap, error) {
	if found := o.get("ConfigMap", namespace, name); found != nil {
		return found.Value.(*corev1.ConfigMap), nil
	}
	return nil, env.NotFound("configmap", name)
}

// secret returns a Secret whose values can be read.
func (o *objects) secret(namespace, name string) (*corev1.Secret, error) {
	found := o.get("Secret", namespace, name)
	if found == nil {
		return nil, env.NotFound("secret", name)
	}
	return found.Value.(*corev1.Secret), o.whyLocked(keyOfObject(found))
}

// volumeFile reads a small file of an emptyDir. Of any other volume it would be the host's or another pod's; a manifest that
// asks for that is refused, but the record of an earlier podd may hold one.
func (op *operation) volumeFile(name, path string) ([]byte, error) {
	root, v, err := op.volumePath(name)
	if err != nil {
		return nil, err
	}
	if v.EmptyDir == nil {
		return nil, fmt.Errorf("fileKeyRef: volume %q must be of type emptyDir", name)
	}
	data, err := volume.ReadFile(root, path, env.MaxFile+1)
	if errors.Is(err, os.ErrNotExist) {
		return nil, env.NotFound("file", path)
	}
	return data, err
}
