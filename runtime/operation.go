package runtime

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/objects"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// newOperation fills in what the actions of a plan depend on, as it is now.
func (r *Runtime) newOperation(p *lifecycle.Pod, actions []plan.Action) *executor.Operation {
	settings := r.settings.Load()
	op := &executor.Operation{
		Actions: actions, IO: make(map[string]executor.ContainerIO, len(p.IO)),
		Inputs: executor.Inputs{
			ShutDown: r.stopping, LogMaxSize: settings.LogMaxSize, LogMaxFiles: settings.LogMaxFiles, Rlimits: settings.Rlimits,
			Sandbox: sandbox.Inputs{PidsLimit: settings.PodPidsLimit},
		},
	}
	for name, l := range p.IO {
		op.IO[name] = l
	}
	in := &op.Inputs
	for _, a := range actions {
		switch a := a.(type) {
		case plan.EnsureSandbox:
			in.Sandbox.NameServers = r.nameServers()
		case plan.EnsureVolumes, plan.RefreshVolumes:
			r.fillVolumes(p.Record, in)
			p.Refresh = false
			for name, image := range in.VolumeImages {
				p.Record.Volumes.UseImage(name, image.LayerDirs())
			}
		case plan.StopContainer:
			if in.StopSignals == nil {
				in.StopSignals = map[string]string{}
			}
			in.StopSignals[a.Name] = r.stopSignal(p.Record, a.Name)
		case plan.StartContainer:
			r.fillStart(p.Record, a.Name, in)
		}
	}
	op.Record = p.Record.Clone()
	return op
}

// fillStart adds what the start of a container depends on.
func (r *Runtime) fillStart(rec *state.Record, name string, in *executor.Inputs) {
	if in.Images == nil {
		in.Images = map[string]images.Image{}
		in.ServiceLinks, in.HostIPs = r.serviceLinks(rec.Object), r.boardIPs()
		r.fillObjects(rec, in)
	}
	if image, err := r.imageFor(rec, name); err == nil {
		in.Images[name] = image
		// From here on the image is in use.
		c := rec.Container(name)
		c.ImageID, c.Layers = image.ID, image.LayerDirs()
	}
}

// fillVolumes adds what the volumes of a pod are made of.
func (r *Runtime) fillVolumes(rec *state.Record, in *executor.Inputs) {
	in.Claims, in.VolumeImages, in.Tokens = map[string]executor.ClaimFolder{}, map[string]images.Image{}, map[executor.TokenRequest]executor.Token{}
	r.fillObjects(rec, in)
	for i := range rec.Object.Spec.Volumes {
		v := &rec.Object.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			in.Claims[v.Name] = r.claims.Folder(r.claimView(r.now()), rec, v.PersistentVolumeClaim.ClaimName)
		case v.Image != nil:
			if image, err := r.Images.Get(v.Image.Reference); err == nil {
				in.VolumeImages[v.Name] = image
			}
		case v.Projected != nil:
			r.fillTokens(rec, v.Projected, in)
		}
	}
}

func (r *Runtime) fillTokens(rec *state.Record, v *corev1.ProjectedVolumeSource, in *executor.Inputs) {
	for i := range v.Sources {
		t := v.Sources[i].ServiceAccountToken
		if t == nil {
			continue
		}
		pod := *rec.Object
		pod.UID = rec.UID
		request := executor.TokenRequestOf(t)
		text, err := r.accounts.Token(&pod, request.Audience, time.Duration(request.Seconds)*time.Second, state.Now())
		in.Tokens[request] = executor.Token{Text: text, Err: err}
	}
}

// fillObjects adds the ConfigMaps and Secrets that a pod refers to.
func (r *Runtime) fillObjects(rec *state.Record, in *executor.Inputs) {
	if in.Objects.ConfigMaps != nil {
		return
	}
	in.Objects = executor.Objects{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: map[string]*corev1.Secret{}, Locked: map[string]error{}}
	objects.References(rec.Object, func(key objects.Key) {
		o := r.objects.Get(key.Kind, key.Namespace, key.Name)
		if o == nil {
			return
		}
		switch value := o.Value.(type) {
		case *corev1.ConfigMap:
			in.Objects.ConfigMaps[key.Name] = value
		case *corev1.Secret:
			in.Objects.Secrets[key.Name] = value
			if err := r.objects.Locked(key); err != nil {
				in.Objects.Locked[key.Name] = err
			}
		}
	})
}
