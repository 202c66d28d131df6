package runtime

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/images/reference"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/objects"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// imageNeed says how it stands with the image that a container's next attempt starts from.
func (r *Runtime) imageNeed(p *lifecycle.Pod, name string) plan.Image {
	c, spec := p.Record.Container(name), p.Record.Spec(name)
	q := r.questionOf(p, lifecycle.PullTarget{Container: name}, spec.Image, spec.ImagePullPolicy, c.Attempt+1, c.Pull)
	return imagepull.Need(r.Images, q, r.pulls())
}

// pulls says that images are pulled now.
func (r *Runtime) pulls() bool { return r.Puller != nil && r.Puller.CanPull() && !r.stopping }

// pinned is the version of a container's image that was good and is put back as it was; "": it is the newest.
func (r *Runtime) pinned(p *lifecycle.Pod, container string) string {
	if pin := p.Record.Pins[container]; pin != "" {
		if img, err := r.Images.Get(pin); err == nil {
			return img.ID
		}
	}
	return ""
}

// volumeImages are the images of a pod's volumes.
func (r *Runtime) volumeImages(p *lifecycle.Pod) []plan.VolumeImage {
	var list []plan.VolumeImage
	for i := range p.Record.Object.Spec.Volumes {
		v := &p.Record.Object.Spec.Volumes[i]
		if v.Image == nil || p.Record.Volumes.Ready {
			continue
		}
		q := r.questionOf(p, lifecycle.PullTarget{Volume: v.Name}, v.Image.Reference, v.Image.PullPolicy, 0, p.Record.Volumes.Pulls[v.Name])
		list = append(list, plan.VolumeImage{Volume: v.Name, Image: imagepull.Need(r.Images, q, r.pulls())})
	}
	return list
}

func (r *Runtime) questionOf(
	p *lifecycle.Pod, target lifecycle.PullTarget, image string, policy corev1.PullPolicy, attempt int, last *state.PullRecord,
) imagepull.Question {
	q := imagepull.Question{Image: image, Policy: policy, Attempt: attempt, Last: last, Pulling: p.Pulls[target] != nil}
	if r.Puller != nil {
		q.Allowed = func(id string) bool { return r.Puller.Allows(id, image, r.pullKeys(p)) }
		q.Passes = func(id string) bool { return r.Puller.Passes(image, id) }
	}
	if target.Container != "" {
		q.Pinned = r.pinned(p, target.Container)
	}
	return q
}

// toJudge is the ID of the image that a verdict is wanted for; "": it is to be pulled.
func (r *Runtime) toJudge(p *lifecycle.Pod, target lifecycle.PullTarget) string {
	var q imagepull.Question
	if c, spec := p.Record.Container(target.Container), p.Record.Spec(target.Container); target.Volume == "" && c != nil && spec != nil {
		q = r.questionOf(p, target, spec.Image, spec.ImagePullPolicy, c.Attempt+1, c.Pull)
	} else {
		for i := range p.Record.Object.Spec.Volumes {
			if v := &p.Record.Object.Spec.Volumes[i]; v.Name == target.Volume && v.Image != nil {
				q = r.questionOf(p, target, v.Image.Reference, v.Image.PullPolicy, 0, p.Record.Volumes.Pulls[v.Name])
			}
		}
	}
	if imagepull.What(r.Images, q, r.pulls()) != imagepull.WantJudge {
		return ""
	}
	if q.Pinned != "" {
		return q.Pinned
	}
	img, err := r.Images.Get(q.Image)
	if err != nil {
		return ""
	}
	return img.ID
}

// beginPull lets a worker pull an image.
func (r *Runtime) beginPull(p *lifecycle.Pod, target lifecycle.PullTarget, now state.Instant) {
	image := p.ImageOf(target)
	if image == "" || p.Pulls[target] != nil || r.Puller == nil {
		return
	}
	keys := r.pullKeys(p)
	if len(keys.Missing) > 0 {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedToRetrieveImagePullSecret",
			"Unable to retrieve some image pull secrets ("+strings.Join(keys.Missing, ", ")+"); attempting to pull the image may not succeed.")
	}
	for _, fault := range keys.Faults {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedToRetrieveImagePullSecret", fault)
	}
	judge := r.toJudge(p, target)
	if judge == "" {
		r.lifecycle.Event(p, target.Container, now, corev1.EventTypeNormal, "Pulling", "Pulling image \""+reference.Hide(image)+"\"")
	}
	ctx, cancel := context.WithCancel(context.Background())
	pull := &lifecycle.Pull{Image: image, Cancel: cancel}
	p.Pulls[target] = pull
	_, err := r.Images.Get(image)
	request := imagepull.Request{Image: image, Judge: judge, Identity: keys.Identity, Present: err == nil && r.mayStayOffline(p, target)}
	if keys.Entries != nil {
		request.Keyring = keys.Entries
	}
	r.kernel.pull(ctx, request, func(result imagepull.Result) {
		cancel()
		r.inbox.put(msgPulled{p, target, pull, lifecycle.Pulled{
			Image: image, Reason: result.Reason, Message: result.Message, After: result.After, Took: result.Took, Waited: result.Waited,
			Size: result.Image.Size, Present: result.Present, Judged: result.Judged,
		}})
	})
}

// mayStayOffline says whether a pull is only to see whether there is something newer: what is there is the pod's to use.
func (r *Runtime) mayStayOffline(p *lifecycle.Pod, target lifecycle.PullTarget) bool {
	image := p.ImageOf(target)
	img, err := r.Images.Get(image)
	return err == nil && r.Puller.Allows(img.ID, image, r.pullKeys(p))
}

// pullKeys are the credentials that a pod brings.
func (r *Runtime) pullKeys(p *lifecycle.Pod) imagepull.Keys {
	pod := p.Record.Object
	names := imagepull.SecretNames(&pod.Spec, r.accountOf(pod))
	return imagepull.KeysOf(names, func(name string) *corev1.Secret {
		key := objects.Key{Kind: "Secret", Namespace: pod.Namespace, Name: name}
		o := r.objects.Get(key.Kind, key.Namespace, key.Name)
		if o == nil || r.objects.Locked(key) != nil {
			return nil
		}
		s, _ := o.Value.(*corev1.Secret)
		return s
	})
}

func (r *Runtime) accountOf(pod *corev1.Pod) *corev1.ServiceAccount {
	name := pod.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	o := r.objects.Get("ServiceAccount", pod.Namespace, name)
	if o == nil {
		return nil
	}
	account, _ := o.Value.(*corev1.ServiceAccount)
	return account
}

// retryPulls lets pulls that have failed be tried again at once: what they depend on has changed.
func (r *Runtime) retryPulls(p *lifecycle.Pod, reasons ...string) {
	again := func(pull *state.PullRecord) {
		if pull != nil && !pull.Done && pull.Reason != "" && (len(reasons) == 0 || slices.Contains(reasons, pull.Reason)) {
			pull.RetryNow()
			r.mark(p.Record.UID)
		}
	}
	for _, c := range p.Record.Containers {
		again(c.Pull)
	}
	for _, pull := range p.Record.Volumes.Pulls {
		again(pull)
	}
}

// pullsWith says whether a pod pulls with one of the objects: its own Secrets, or those of its ServiceAccount.
func (r *Runtime) pullsWith(p *lifecycle.Pod, changed map[objects.Key]bool) bool {
	pod := p.Record.Object
	account := r.accountOf(pod)
	if account != nil && changed[objects.Key{Kind: "ServiceAccount", Namespace: pod.Namespace, Name: account.Name}] {
		return true
	}
	return slices.ContainsFunc(imagepull.SecretNames(&pod.Spec, account), func(name string) bool {
		return changed[objects.Key{Kind: "Secret", Namespace: pod.Namespace, Name: name}]
	})
}

// passesOf says what may run: without anybody who judges, everything.
func passesOf(p Puller) func(image, id string) bool {
	if p == nil {
		return func(string, string) bool { return true }
	}
	return p.Passes
}

// retryJudged lets images be judged again that were not let pass: by another policy they may.
func (r *Runtime) retryJudged() {
	for _, p := range r.pods {
		r.retryPulls(p, state.ReasonSignature)
		r.mark(p.Record.UID)
	}
}
