package executor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/images"
	"podd/runtime/container/spec"
	"podd/runtime/device"
	"podd/runtime/env"
	"podd/runtime/manifest/resources"
	"podd/runtime/sandbox"
	"podd/runtime/sandbox/userns"
	"podd/runtime/volume"
)

// isWritten says of a volume that podd writes its files.
func isWritten(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.DownwardAPI != nil || v.Projected != nil
}

func (op *run) volumeRequest(v *corev1.Volume) (*volume.Request, error) {
	rec := op.Record
	label, err := op.Sandboxes.VolumeLabel(rec, v.Name)
	if err != nil {
		return nil, err
	}
	return &volume.Request{
		Label: label,
		UID:   string(rec.UID), Volume: v, Owner: volume.OwnerOf(&rec.Object.Spec), Memory: memoryLimit(&rec.Object.Spec), HugePages: hugePageSizes(&rec.Object.Spec),
		Layers: op.Inputs.VolumeImages[v.Name].Layers, Share: volume.ShareOf(v), Now: time.Now(),
		Lookup: &volume.Lookup{
			ConfigMap: func(name string) *corev1.ConfigMap { return op.Inputs.Objects.ConfigMaps[name] },
			Secret: func(name string) (*corev1.Secret, error) {
				return op.Inputs.Objects.Secrets[name], op.Inputs.Objects.Locked[name]
			},
			Token: func(t *corev1.ServiceAccountTokenProjection) (string, error) {
				signed := op.Inputs.Tokens[TokenRequestOf(t)]
				return signed.Text, signed.Err
			},
			Field: func(ref *corev1.ObjectFieldSelector) (string, error) { return env.Field(rec.Object, ref.FieldPath) },
			Resource: func(ref *corev1.ResourceFieldSelector) (string, error) {
				return env.Resource(rec.Object, ref.ContainerName, ref, op.Allocatable())
			},
		},
	}, nil
}

// hugePageSizes are the sizes of the huge pages that a pod asks for, anywhere.
func hugePageSizes(spec *corev1.PodSpec) []int64 {
	asked, _ := resources.Totals(spec)
	return slices.Sorted(maps.Keys(resources.HugePages(asked)))
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

// ensureVolumes makes all volumes of a pod.
func (op *run) ensureVolumes() (made VolumesEnsured, err error) {
	made.Folders, made.Images = map[string]string{}, map[string]string{}
	for i := range op.Record.Object.Spec.Volumes {
		v := &op.Record.Object.Spec.Volumes[i]
		if v.Image != nil && !IsMounted(&op.Record.Object.Spec, v.Name) {
			continue // its image may never come
		}
		request, err := op.volumeRequest(v)
		if err != nil {
			return VolumesEnsured{}, &volumeError{v.Name, err}
		}
		if v.PersistentVolumeClaim != nil {
			folder, err := op.Inputs.Claims[v.Name].ensure()
			if err != nil {
				return VolumesEnsured{}, &volumeError{v.Name, err}
			}
			request.Claim, made.Folders[v.Name] = folder, folder
			if op.Inputs.Claims[v.Name].Dir == "" { // its owner labels it
				request.Label = ""
			}
			if share := op.Inputs.Claims[v.Name].Share; share != nil {
				own := *share
				own.ReadOnly = own.ReadOnly || v.PersistentVolumeClaim.ReadOnly
				request.Share = &own
			}
		}
		if err := op.ensureVolume(request); err != nil {
			return VolumesEnsured{}, &volumeError{v.Name, err}
		}
		if v.Image != nil {
			made.Images[v.Name] = op.Inputs.VolumeImages[v.Name].ID
		}
	}
	op.Record.Volumes.Folders = maps.Clone(made.Folders) // of the copy: the containers that start now look there
	return made, nil
}

// IsMounted says whether a container mounts a volume. An image that nobody sees holds nothing up.
func IsMounted(pod *corev1.PodSpec, volume string) bool {
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			if spec.Mounts(&list[i], volume) {
				return true
			}
		}
	}
	return false
}

// ensureVolume makes one volume, which the ids of the pod must fit.
func (op *run) ensureVolume(request *volume.Request) error {
	if request.Volume.HostPath != nil {
		op.watchDevice(request.Volume.HostPath.Path)
	}
	if request.Share != nil {
		return op.ensureShare(request)
	}
	namespace := op.Paths.UserNamespace(op.Record.UID)
	if sandbox.HasOwnUsers(op.Record) && request.Volume.Image != nil {
		image := op.Inputs.VolumeImages[request.Volume.Name]
		if err := op.checkOwners(request.Volume.Image.Reference, &image); err != nil {
			return err
		}
		return op.Sandboxes.WithMapped(request.UID+"."+request.Volume.Name, namespace, request.Layers, func(layers []string) error {
			request.Layers = layers
			_, err := op.Volumes.Ensure(request)
			return err
		})
	}
	path, err := op.Volumes.Ensure(request)
	if err == nil && sandbox.IsMapped(op.Record, request.Volume) && !isDevice(request.Volume, path) {
		err = userns.Check(path, namespace)
	}
	return err
}

// forgetImageVolumes unmounts the images of a pod that gets other ids: they are shown with the owners of before.
func (op *run) forgetImageVolumes() error {
	if op.Record.Sandbox.GiveUp == "" {
		return nil
	}
	for i := range op.Record.Object.Spec.Volumes {
		if v := &op.Record.Object.Spec.Volumes[i]; v.Image != nil {
			if err := op.Volumes.RemoveImage(string(op.Record.UID), v.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOwners says whether the owners of an image's files are within a pod's own ids, as an ImageOwnersError if not. Who asks
// for ids of its own has them whatever the image.
func (op *run) checkOwners(reference string, image *images.Image) error {
	if !op.Record.Sandbox.OwnUsers || op.Record.Object.Spec.HostUsers != nil {
		return nil
	}
	highest, err := image.HighestID()
	if err == nil && highest >= sandbox.PodIDs {
		err = &sandbox.ImageOwnersError{Image: reference, Highest: highest}
	}
	return err
}

// watchDevice has those paths watched that are devices, or are to be.
func (op *run) watchDevice(path string) {
	if op.WatchDevice != nil && (device.Within(path) || device.FormOf(path) == device.File) {
		op.WatchDevice(path)
	}
}

// isDevice says of a volume that its containers get nodes with their own ids.
func isDevice(v *corev1.Volume, path string) bool {
	if v.HostPath == nil {
		return false
	}
	form := device.FormOf(path)
	return form == device.File || form == device.Folder
}

// refreshVolumes brings the files that podd writes up to date. One that fails keeps what it has.
func (op *run) refreshVolumes() error {
	var first error
	for i := range op.Record.Object.Spec.Volumes {
		v := &op.Record.Object.Spec.Volumes[i]
		if !isWritten(v) {
			continue
		}
		request, err := op.volumeRequest(v)
		if err == nil {
			_, _, err = op.Volumes.Refresh(request)
		}
		if err != nil && first == nil {
			first = &volumeError{v.Name, err}
		}
	}
	return first
}

// removeVolumes takes away what lives as long as the pod: all of it, or what does not outlive the boot.
func (x *Executor) removeVolumes(uid types.UID, all bool) error {
	if all {
		return x.Volumes.Remove(string(uid))
	}
	return x.Volumes.RemoveMemory(string(uid))
}
