package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/container/spec"
	"podd/runtime/env"
	"podd/runtime/status"
	"podd/runtime/volume"
)

// configError is what keeps a container from being configured; the text is the kubelet's and is shown as it is.
type configError struct{ error }

func (configError) Is(target error) bool { return target == spec.ErrConfig }

func (c configError) Unwrap() error { return c.error }

// resolveEnv works out the environment of an attempt that is about to start, and keeps it for as long as that lives. It
// is nil for a container whose manifest says all.
func (op *run) resolveEnv(name string, attempt int, more []corev1.EnvVar) ([]corev1.EnvVar, error) {
	rec := op.Record
	c := rec.Spec(name)
	pod := op.podWithAddresses()
	source := &env.Source{
		Pod: pod, Allocatable: op.Allocatable(), Services: op.Inputs.ServiceLinks,
		ConfigMap: op.Inputs.Objects.ConfigMap,
		Secret:    op.Inputs.Objects.Secret,
		File:      op.volumeFile,
	}
	if !env.Refers(c) && len(source.Services) == 0 && len(more) == 0 {
		return nil, nil
	}
	vars, err := env.Resolve(c, source, spec.Expand)
	if err != nil {
		return nil, configError{err}
	}
	out := make([]corev1.EnvVar, len(vars))
	for i, v := range vars {
		out[i] = corev1.EnvVar{Name: v.Name, Value: v.Value}
	}
	out = append(out, more...)
	return out, keepEnv(op.Paths.Env(rec.UID, name, attempt), out)
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
func (x *Executor) savedEnv(uid types.UID, name string, attempt int) []corev1.EnvVar {
	var vars []corev1.EnvVar
	if err := atomicfile.LoadJSON(x.Paths.Env(uid, name, attempt), &vars, nil); err != nil {
		x.Restored(err, fmt.Sprintf("commands and probes in container %s run without the variables that come from elsewhere, until it starts again", name))
		return nil
	}
	return vars
}

// podWithAddresses is a pod as the downward API sees it.
func (op *run) podWithAddresses() *corev1.Pod {
	rec := op.Record
	p := *rec.Object
	p.UID = rec.UID
	p.Spec.NodeName = op.NodeName
	ips := op.Inputs.HostIPs
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

// volumeFile reads a small file of an emptyDir. Of any other volume it would be the host's or another pod's; a manifest that
// asks for that is refused, but the record of an earlier podd may hold one.
func (op *run) volumeFile(name, path string) ([]byte, error) {
	root, v, err := op.volumePath(name)
	if err != nil {
		return nil, err
	}
	if v.EmptyDir == nil {
		return nil, fmt.Errorf("fileKeyRef: volume %q must be of type emptyDir", name)
	}
	data, err := volume.ReadFile(root, "./"+path, env.MaxFile+1) // also one that begins with /: a kubelet joins the two
	if errors.Is(err, os.ErrNotExist) {
		return nil, env.NotFound("file", path)
	}
	return data, err
}
