package runtime

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/images/reference"
	"podd/runtime/executor"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/objects"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// imagePulls decides which images are pulled or judged for which pod, and when again.
type imagePulls struct{ r *Runtime }

// imageNeed says how it stands with the image that a container's next attempt starts from.
func (ip imagePulls) imageNeed(p *lifecycle.Pod, name string) plan.Image {
	c, spec := p.Record.Container(name), p.Record.Spec(name)
	q := ip.questionOf(p, lifecycle.PullTarget{Container: name}, spec.Image, spec.ImagePullPolicy, c.NextAttempt(), c.Pull)
	return imagepull.Need(ip.r.Images, q, ip.pulls())
}

// pulls says that images are pulled now.
func (ip imagePulls) pulls() bool {
	return ip.r.Puller != nil && ip.r.Puller.CanPull() && !ip.r.stopping
}

// pinned is the version of a container's image that was good and is put back as it was; "": it is the newest.
func (ip imagePulls) pinned(p *lifecycle.Pod, container string) string {
	if pin := p.Record.Pins[container]; pin != "" {
		if img, err := ip.r.Images.Get(pin); err == nil {
			return img.ID
		}
	}
	return ""
}

// volumeImages are the images of a pod's volumes.
func (ip imagePulls) volumeImages(p *lifecycle.Pod) []plan.VolumeImage {
	var list []plan.VolumeImage
	for i := range p.Record.Object.Spec.Volumes {
		v := &p.Record.Object.Spec.Volumes[i]
		if v.Image == nil || p.Record.Volumes.Ready || !executor.IsMounted(&p.Record.Object.Spec, v.Name) {
			continue
		}
		last := p.Record.Volumes.Pulls[v.Name]
		q := ip.questionOf(p, lifecycle.PullTarget{Volume: v.Name}, v.Image.Reference, v.Image.PullPolicy, 0, last)
		list = append(list, plan.VolumeImage{Volume: v.Name, Awaited: last != nil && last.Awaited, Image: imagepull.Need(ip.r.Images, q, ip.pulls())})
	}
	return list
}

func (ip imagePulls) questionOf(
	p *lifecycle.Pod, target lifecycle.PullTarget, image string, policy corev1.PullPolicy, attempt int, last *state.PullRecord,
) imagepull.Question {
	q := imagepull.Question{Image: image, Policy: policy, Attempt: attempt, Last: last, Pulling: p.Pulls[target] != nil}
	if ip.r.Puller != nil {
		q.Allowed = func(id string) bool { return ip.r.Puller.Allows(id, image, ip.pullKeys(p)) }
		q.Passes = func(id string) bool { return ip.r.Puller.Passes(image, id) }
	}
	if target.Container != "" {
		q.Pinned = ip.pinned(p, target.Container)
	}
	return q
}

// toJudge is the ID of the image that a verdict is wanted for; "": it is to be pulled.
func (ip imagePulls) toJudge(p *lifecycle.Pod, target lifecycle.PullTarget) string {
	var q imagepull.Question
	if c, spec := p.Record.Container(target.Container), p.Record.Spec(target.Container); target.Volume == "" && c != nil && spec != nil {
		q = ip.questionOf(p, target, spec.Image, spec.ImagePullPolicy, c.NextAttempt(), c.Pull)
	} else {
		for i := range p.Record.Object.Spec.Volumes {
			if v := &p.Record.Object.Spec.Volumes[i]; v.Name == target.Volume && v.Image != nil {
				q = ip.questionOf(p, target, v.Image.Reference, v.Image.PullPolicy, 0, p.Record.Volumes.Pulls[v.Name])
			}
		}
	}
	if imagepull.What(ip.r.Images, q, ip.pulls()) != imagepull.WantJudge {
		return ""
	}
	if q.Pinned != "" {
		return q.Pinned
	}
	img, err := ip.r.Images.Get(q.Image)
	if err != nil {
		return ""
	}
	return img.ID
}

// beginPull lets a worker pull an image.
func (ip imagePulls) beginPull(p *lifecycle.Pod, target lifecycle.PullTarget, now state.Instant) {
	image := p.ImageOf(target)
	if image == "" || p.Pulls[target] != nil || ip.r.Puller == nil {
		return
	}
	keys := ip.pullKeys(p)
	if len(keys.Missing) > 0 {
		ip.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedToRetrieveImagePullSecret",
			"Unable to retrieve some image pull secrets ("+strings.Join(keys.Missing, ", ")+"); attempting to pull the image may not succeed.")
	}
	for _, fault := range keys.Faults {
		ip.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedToRetrieveImagePullSecret", fault)
	}
	judge := ip.toJudge(p, target)
	if judge == "" {
		ip.r.lifecycle.Event(p, target.Container, now, corev1.EventTypeNormal, "Pulling", "Pulling image \""+reference.Hide(image)+"\"")
	}
	ctx, cancel := context.WithCancel(context.Background())
	pull := &lifecycle.Pull{Image: image, Cancel: cancel}
	p.Pulls[target] = pull
	_, err := ip.r.Images.Get(image)
	request := imagepull.Request{Image: image, Judge: judge, Identity: keys.Identity, Present: err == nil && ip.mayStayOffline(p, target)}
	if keys.Entries != nil {
		request.Keyring = keys.Entries
	}
	ip.r.kernel.pull(ctx, request, func(result imagepull.Result) {
		cancel()
		ip.r.inbox.put(msgPulled{p, target, pull, lifecycle.Pulled{
			Image: image, Reason: result.Reason, Message: result.Message, After: result.After, Took: result.Took, Waited: result.Waited,
			Size: result.Image.Size, Present: result.Present, Judged: result.Judged, Peers: result.Peers,
		}})
	})
}

// mayStayOffline says whether a pull is only to see whether there is something newer: what is there is the pod's to use.
func (ip imagePulls) mayStayOffline(p *lifecycle.Pod, target lifecycle.PullTarget) bool {
	image := p.ImageOf(target)
	img, err := ip.r.Images.Get(image)
	return err == nil && ip.r.Puller.Allows(img.ID, image, ip.pullKeys(p))
}

// pullKeys are the credentials that a pod brings.
func (ip imagePulls) pullKeys(p *lifecycle.Pod) imagepull.Keys {
	pod := p.Record.Object
	names := imagepull.SecretNames(&pod.Spec, ip.accountOf(pod))
	return imagepull.KeysOf(names, func(name string) *corev1.Secret {
		key := objects.Key{Kind: "Secret", Namespace: pod.Namespace, Name: name}
		o := ip.r.objects.Get(key.Kind, key.Namespace, key.Name)
		if o == nil || ip.r.objects.Locked(key) != nil {
			return nil
		}
		s, _ := o.Value.(*corev1.Secret)
		return s
	})
}

func (ip imagePulls) accountOf(pod *corev1.Pod) *corev1.ServiceAccount {
	name := pod.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	o := ip.r.objects.Get("ServiceAccount", pod.Namespace, name)
	if o == nil {
		return nil
	}
	account, _ := o.Value.(*corev1.ServiceAccount)
	return account
}

// retryPulls lets pulls that have failed be tried again at once: what they depend on has changed.
func (ip imagePulls) retryPulls(p *lifecycle.Pod, reasons ...string) {
	again := func(pull *state.PullRecord) {
		if pull != nil && !pull.Done && pull.Reason != "" && (len(reasons) == 0 || slices.Contains(reasons, pull.Reason)) {
			pull.RetryNow()
			ip.r.mark(p.Record.UID)
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
func (ip imagePulls) pullsWith(p *lifecycle.Pod, changed map[objects.Key]bool) bool {
	pod := p.Record.Object
	account := ip.accountOf(pod)
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
func (ip imagePulls) retryJudged() {
	for _, p := range ip.r.pods {
		ip.retryPulls(p, state.ReasonSignature)
		ip.r.mark(p.Record.UID)
	}
}
