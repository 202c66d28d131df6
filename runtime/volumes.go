package runtime

import (
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/images"
	"podd/runtime/env"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/volume"
	"podd/userns"
)

// volumeSources are the objects that the volumes of one pod are made of, as the loop saw them: they never change.
type volumeSources struct {
	configMaps map[string]*corev1.ConfigMap
	secrets    map[string]*corev1.Secret
	locked     map[string]error        // why a Secret that is there cannot be read
	images     map[string]images.Image // by the volume's name
	claims     map[string]claimAnswer
}

// volumeSources collects what the volumes of a pod refer to.
func (r *Runtime) volumeSources(rec *state.Record) *volumeSources {
	s := &volumeSources{
		configMaps: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{}, locked: map[string]error{},
		images: map[string]images.Image{}, claims: map[string]claimAnswer{},
	}
	namespace := rec.Object.Namespace
	for i := range rec.Object.Spec.Volumes {
		v := &rec.Object.Spec.Volumes[i]
		configMaps, secrets := objectsOf(v)
		for _, name := range configMaps {
			if o := r.objects.get("ConfigMap", namespace, name); o != nil {
				s.configMaps[name], _ = o.Value.(*corev1.ConfigMap)
			}
		}
		for _, name := range secrets {
			secret, err := r.objects.secret(namespace, name)
			if err == nil {
				s.secrets[name] = secret
			} else if o := r.objects.get("Secret", namespace, name); o != nil {
				s.locked[name] = err
			}
		}
		if v.PersistentVolumeClaim != nil {
			s.claims[v.Name] = r.claim(rec, v.PersistentVolumeClaim.ClaimName)
		}
		if v.Image != nil {
			if image, err := r.Images.Get(v.Image.Reference); err == nil {
				s.images[v.Name] = image
			}
		}
	}
	return s
}

// objectsOf names the ConfigMaps and Secrets that a volume's files come from.
func objectsOf(v *corev1.Volume) (configMaps, secrets []string) {
	if v.ConfigMap != nil {
		configMaps = append(configMaps, v.ConfigMap.Name)
	}
	if v.Secret != nil {
		secrets = append(secrets, v.Secret.SecretName)
	}
	if v.Projected == nil {
		return configMaps, secrets
	}
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		if s.ConfigMap != nil {
			configMaps = append(configMaps, s.ConfigMap.Name)
		}
		if s.Secret != nil {
			secrets = append(secrets, s.Secret.Name)
		}
	}
	return configMaps, secrets
}

// isWritten says of a volume that podd writes its files.
func isWritten(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.DownwardAPI != nil || v.Projected != nil
}

func (r *Runtime) volumeRequest(rec *state.Record, s *volumeSources, v *corev1.Volume) *volume.Request {
	return &volume.Request{
		UID: string(rec.UID), Volume: v, Owner: volume.OwnerOf(&rec.Object.Spec), Memory: memoryLimit(&rec.Object.Spec),
		Layers: s.images[v.Name].Layers, Now: time.Now(),
		Lookup: &volume.Lookup{
			ConfigMap: func(name string) *corev1.ConfigMap { return s.configMaps[name] },
			Secret:    func(name string) (*corev1.Secret, error) { return s.secrets[name], s.locked[name] },
			Token: func(t *corev1.ServiceAccountTokenProjection) (string, error) {
				pod := *rec.Object
				pod.UID = rec.UID
				return r.Token(&pod, t.Audience, time.Duration(*t.ExpirationSeconds)*time.Second)
			},
			Field: func(ref *corev1.ObjectFieldSelector) (string, error) { return env.Field(rec.Object, ref.FieldPath) },
			Resource: func(ref *corev1.ResourceFieldSelector) (string, error) {
				return env.Resource(rec.Object, ref.ContainerName, ref, r.allocatable())
			},
		},
	}
}

// memoryLimit is what all containers together may use; 0: one of them has no limit.
func memoryLimit(spec *corev1.PodSpec) int64 {
	return sandbox.PodResources(spec, 0).MemoryLimit
}

// volumeError is what went wrong with one volume of a pod.
type volumeError struct {
	name string
	err  error
}

// Error is the kubelet's sentence.
func (e *volumeError) Error() string {
	return fmt.Sprintf("MountVolume.SetUp failed for volume %q : %v", e.name, e.err)
}

func (e *volumeError) Unwrap() error { return e.err }

// madeVolumes is the outcome of making a pod's volumes, by their names.
type madeVolumes struct {
	folders map[string]string // of claims
	images  map[string]string // their IDs
}

// ensureVolumes makes all volumes of a pod.
func (op *operation) ensureVolumes() (madeVolumes, error) {
	made := madeVolumes{map[string]string{}, map[string]string{}}
	for i := range op.rec.Object.Spec.Volumes {
		v := &op.rec.Object.Spec.Volumes[i]
		request := op.r.volumeRequest(op.rec, op.volumes, v)
		if v.PersistentVolumeClaim != nil {
			folder, err := op.r.ensureClaim(op.volumes.claims[v.Name])
			if err != nil {
				return madeVolumes{}, &volumeError{v.Name, err}
			}
			request.Claim, made.folders[v.Name] = folder, folder
		}
		if err := op.ensureVolume(request); err != nil {
			return madeVolumes{}, &volumeError{v.Name, err}
		}
		if v.Image != nil {
			made.images[v.Name] = op.volumes.images[v.Name].ID
		}
	}
	op.rec.Volumes.Folders = maps.Clone(made.folders) // of the copy: the containers that start now look there
	return made, nil
}

// ensureVolume makes one volume, which the ids of the pod must fit.
func (op *operation) ensureVolume(request *volume.Request) error {
	p, namespace := op.rec.Object, op.r.paths.UserNamespace(op.uid)
	if sandbox.HasOwnUsers(p) && request.Volume.Image != nil {
		return op.r.sandboxes.WithMapped(request.UID+"."+request.Volume.Name, namespace, request.Layers, func(layers []string) error {
			request.Layers = layers
			_, err := op.r.volumes.Ensure(request)
			return err
		})
	}
	path, err := op.r.volumes.Ensure(request)
	if err == nil && sandbox.IsMapped(p, request.Volume) {
		err = userns.Check(path, namespace)
	}
	return err
}

// refreshVolumes brings the files that podd writes up to date. One that fails keeps what it has.
func (op *operation) refreshVolumes() error {
	var first error
	for i := range op.rec.Object.Spec.Volumes {
		v := &op.rec.Object.Spec.Volumes[i]
		if !isWritten(v) {
			continue
		}
		if _, _, err := op.r.volumes.Refresh(op.r.volumeRequest(op.rec, op.volumes, v)); err != nil && first == nil {
			first = &volumeError{v.Name, err}
		}
	}
	return first
}

// removeVolumes takes away what lives as long as the pod: all of it, or what does not outlive the boot.
func (r *Runtime) removeVolumes(uid types.UID, all bool) error {
	if all {
		return r.volumes.Remove(string(uid))
	}
	return r.volumes.RemoveMemory(string(uid))
}
