package runtime

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/container/spec"
	"podd/runtime/device"
	"podd/runtime/env"
	"podd/runtime/executor"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest/annotation"
	"podd/runtime/objects"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/service"
	"podd/runtime/serviceaccount"
	"podd/runtime/state"
	"podd/runtime/stdio"
	"podd/runtime/storage"
)

// inputs is what the actions of a plan depend on beside the pod's record: settings, images, objects, claims, tokens, Services and
// addresses, as they are when the operation begins. It belongs to the loop; an operation has values of it.
type inputs struct {
	settings *Settings
	handler  func(*corev1.Pod) (*state.HandlerRecord, error)
	paths    state.Paths
	images   imagepull.Images
	passes   func(image, id string) bool // it is known that the image may run
	objects  *objects.Desired
	claims   *storage.Claims
	accounts *serviceaccount.Manager
	services *service.Syncer
	executor *executor.Executor
	devices  *hostDevices

	nameServers func() sandbox.NameServers
	hostIPs     func() []netip.Addr
	claimView   func(now state.Instant) storage.View
}

// operation fills in what the actions of a plan depend on, as it is now.
func (src *inputs) operation(p *lifecycle.Pod, actions []plan.Action, stopping bool, now state.Instant) *executor.Operation {
	settings := src.settings
	op := &executor.Operation{
		Actions: actions, IO: make(map[string]executor.ContainerIO, len(p.IO)),
		Inputs: executor.Inputs{
			ShutDown: stopping, LogMaxSize: settings.LogMaxSize, LogMaxFiles: settings.LogMaxFiles, Rlimits: settings.Rlimits,
			Journal:        cmp.Or(p.Record.Object.Annotations[annotation.LogDriverKey], settings.LogDriver) == annotation.LogJournald,
			SeccompDefault: settings.SeccompDefault, NoNewPrivileges: settings.NoNewPrivileges,
			Sandbox: sandbox.Inputs{PidsLimit: settings.PodPidsLimit, AutoUsers: settings.AutoUsers},
		},
	}
	for name, l := range p.IO {
		op.IO[name] = l
	}
	in := &op.Inputs
	for _, a := range actions {
		switch a := a.(type) {
		case plan.EnsureSandbox:
			in.Sandbox.NameServers, in.Sandbox.NFSClaim = src.nameServers(), src.claims.NFSVolume(p.Record.Object)
			in.Sandbox.Handler, in.Sandbox.NoHandler = src.handler(p.Record.Object)
			for _, c := range p.Record.Containers {
				if image, err := src.Image(p.Record, c.Name); err == nil {
					in.Sandbox.Images = append(in.Sandbox.Images, sandbox.Image{Name: p.Record.Spec(c.Name).Image, User: image.Config.User, HighestID: image.HighestID})
				}
			}
		case plan.EnsureVolumes, plan.RefreshVolumes:
			src.fillVolumes(p.Record, in, now)
			p.Refresh = false
			for name, image := range in.VolumeImages {
				p.Record.Volumes.UseImage(name, image.LayerDirs())
			}
		case plan.StopContainer:
			if in.StopSignals == nil {
				in.StopSignals = map[string]string{}
			}
			in.StopSignals[a.Name] = src.StopSignal(p.Record, a.Name)
		case plan.StartContainer:
			src.fillStart(p.Record, a.Name, in)
		}
	}
	op.Record = p.Record.Clone()
	return op
}

// fillStart adds what the start of a container depends on.
func (src *inputs) fillStart(rec *state.Record, name string, in *executor.Inputs) {
	if in.Images == nil {
		in.Images = map[string]images.Image{}
		in.ServiceLinks, in.HostIPs = src.serviceLinks(rec.Object), src.hostIPs()
		src.fillObjects(rec, in)
	}
	inv, _ := src.devices.has()
	if units := device.Allocations(rec.Devices).Of(name, inv); len(units) > 0 {
		if in.Devices == nil {
			in.Devices = map[string][]device.Given{}
		}
		in.Devices[name] = units
	}
	if image, err := src.Image(rec, name); err == nil && src.passes(rec.Spec(name).Image, image.ID) {
		in.Images[name] = image
		// From here on the image is in use.
		c := rec.Container(name)
		c.ImageID, c.Layers = image.ID, image.LayerDirs()
	}
}

// fillVolumes adds what the volumes of a pod are made of.
func (src *inputs) fillVolumes(rec *state.Record, in *executor.Inputs, now state.Instant) {
	in.Claims, in.VolumeImages, in.Tokens = map[string]executor.ClaimFolder{}, map[string]images.Image{}, map[executor.TokenRequest]executor.Token{}
	src.fillObjects(rec, in)
	for i := range rec.Object.Spec.Volumes {
		v := &rec.Object.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			in.Claims[v.Name] = src.claims.Folder(src.claimView(now), rec, v.PersistentVolumeClaim.ClaimName)
		case v.Image != nil:
			if image, err := src.images.Get(v.Image.Reference); err == nil && src.passes(v.Image.Reference, image.ID) {
				in.VolumeImages[v.Name] = image
			}
		case v.Projected != nil:
			src.fillTokens(rec, v.Projected, in, now)
		}
	}
}

func (src *inputs) fillTokens(rec *state.Record, v *corev1.ProjectedVolumeSource, in *executor.Inputs, now state.Instant) {
	for i := range v.Sources {
		t := v.Sources[i].ServiceAccountToken
		if t == nil {
			continue
		}
		pod := *rec.Object
		pod.UID = rec.UID
		request := executor.TokenRequestOf(t)
		text, err := src.accounts.Token(&pod, request.Audience, time.Duration(request.Seconds)*time.Second, now)
		in.Tokens[request] = executor.Token{Text: text, Err: err}
	}
}

// fillObjects adds the ConfigMaps and Secrets that a pod refers to.
func (src *inputs) fillObjects(rec *state.Record, in *executor.Inputs) {
	if in.Objects.ConfigMaps != nil {
		return
	}
	in.Objects = executor.Objects{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: map[string]*corev1.Secret{}, Locked: map[string]error{}}
	pod := *rec.Object
	pod.Spec.Containers = slices.Clone(pod.Spec.Containers)
	for i := range rec.Ephemeral {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container(rec.Ephemeral[i].EphemeralContainerCommon))
	}
	objects.References(&pod, func(key objects.Key) {
		o := src.objects.Get(key.Kind, key.Namespace, key.Name)
		if o == nil {
			return
		}
		switch value := o.Value.(type) {
		case *corev1.ConfigMap:
			in.Objects.ConfigMaps[key.Name] = value
		case *corev1.Secret:
			in.Objects.Secrets[key.Name] = value
			if err := src.objects.Locked(key); err != nil {
				in.Objects.Locked[key.Name] = err
			}
		}
	})
}

// runningImage is the image that a container runs from; a name may have been given to another one since.
func (src *inputs) runningImage(rec *state.Record, name string) (images.Image, error) {
	if image, err := src.images.Get(rec.Container(name).ImageID); err == nil {
		return image, nil
	}
	return src.Image(rec, name)
}

// StopSignal is what a container is asked to end with: its own, the image's, or TERM. KEP-4960
func (src *inputs) StopSignal(rec *state.Record, name string) string {
	if l := rec.Spec(name).Lifecycle; l != nil && l.StopSignal != nil {
		return string(*l.StopSignal)
	}
	if image, err := src.runningImage(rec, name); err == nil && image.Config.StopSignal != "" {
		return image.Config.StopSignal
	}
	return string(corev1.SIGTERM)
}

// Image is the image that a container's next attempt runs from.
func (src *inputs) Image(rec *state.Record, name string) (images.Image, error) {
	if pin := rec.Pins[name]; pin != "" {
		if image, err := src.images.Get(pin); err == nil {
			return image, nil
		}
	}
	return src.images.Get(rec.Spec(name).Image)
}

// execConfig is the configuration that the current attempt of a container was started with.
func (src *inputs) execConfig(rec *state.Record, c *state.ContainerRecord) (*spec.Config, error) {
	image, err := src.runningImage(rec, c.Name)
	if err != nil {
		return nil, err
	}
	config := src.executor.ExecConfig(rec, c, image)
	config.Rlimits = src.settings.Rlimits
	return config, nil
}

// serviceLinks are the variables about Services that a pod's containers get.
func (src *inputs) serviceLinks(p *corev1.Pod) []env.Var {
	var vars []env.Var
	for _, v := range src.services.Env(p) {
		vars = append(vars, env.Var{Name: v.Name, Value: v.Value})
	}
	return vars
}

// Log is where and how the output of an attempt is written.
func (src *inputs) Log(rec *state.Record, name string, attempt int) stdio.Log {
	settings := src.settings
	return stdio.Log{
		Path: src.paths.Log(rec, name, attempt), MaxSize: settings.LogMaxSize, MaxFiles: settings.LogMaxFiles,
		Fields: executor.JournalFields(rec, name, attempt),
	}
}

// LongestBackoff is what a container that crashes waits at most.
func (src *inputs) LongestBackoff() time.Duration {
	return cmp.Or(src.settings.LongestBackoff, plan.BackoffLongest)
}
