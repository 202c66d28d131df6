package debug

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/annotation"
)

// Ephemeral makes the ephemeral container that looks into a pod.
func (o *Options) Ephemeral(pod *corev1.Pod) (*corev1.EphemeralContainer, error) {
	e := &corev1.EphemeralContainer{TargetContainerName: o.Target}
	c := (*corev1.Container)(&e.EphemeralContainerCommon)
	o.fill(c, o.name(pod))
	apply(o.Profile, o.Keep, pod, c, inPod)
	return e, customize(c, o.Custom)
}

// Node makes the pod that looks at the board.
func (o *Options) Node(node, namespace string) (*corev1.Pod, error) {
	name := fmt.Sprintf("node-debugger-%s-%s", node, o.Suffix())
	container := o.Container
	if container == "" {
		container = "debugger"
	}
	o.Say("Creating debugging pod %s with container %s on node %s.", name, container, node)
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "podd-debug"}},
		Spec: corev1.PodSpec{
			Containers:    []corev1.Container{{}},
			NodeName:      node,
			RestartPolicy: corev1.RestartPolicyNever,
			Tolerations:   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
	c := &pod.Spec.Containers[0]
	o.fill(c, container)
	apply(o.Profile, o.Keep, pod, c, onNode)
	return pod, customize(c, o.Custom)
}

// Copy makes a copy of a pod with another container, or with one that is changed, and says which that is; "": only images are.
func (o *Options) Copy(pod *corev1.Pod) (*corev1.Pod, string, error) {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: o.CopyTo, Namespace: pod.Namespace, Annotations: maps.Clone(pod.Annotations), Labels: pod.Labels},
		Spec:       *pod.Spec.DeepCopy(),
	}
	annotation.DropSource(&p.ObjectMeta)
	p.Spec.EphemeralContainers = nil
	p.Spec.NodeName = "" // there is one board, and so --same-node says nothing
	if o.ShareProcesses != nil {
		p.Spec.ShareProcessNamespace = o.ShareProcesses
	}
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		image, ok := o.SetImages[c.Name]
		if !ok {
			image = o.SetImages["*"]
		}
		if image != "" {
			c.Image = image
		}
	}
	c := find(p, o.Container)
	if c == nil {
		switch {
		case o.Image == "" && len(o.SetImages) > 0:
			return p, "", nil
		case o.Image == "":
			return nil, "", errors.New("you must specify image when creating new container")
		}
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: o.name(p), TerminationMessagePolicy: corev1.TerminationMessageReadFile})
		c = &p.Spec.Containers[len(p.Spec.Containers)-1]
	}
	name := c.Name
	o.change(c)
	apply(o.Profile, o.Keep, p, c, inCopy)
	if c = find(p, name); c == nil { // an init container that is not kept
		return nil, "", fmt.Errorf("unable to find the %s container in the pod %s", name, p.Name)
	}
	return p, name, customize(c, o.Custom)
}

// change makes a container of a copy what the flags say.
func (o *Options) change(c *corev1.Container) {
	switch {
	case len(o.Args) > 0 && o.ArgsOnly:
		c.Args = o.Args
	case len(o.Args) > 0:
		c.Command, c.Args = o.Args, nil
	}
	if len(o.Env) > 0 {
		c.Env = o.Env
	}
	if o.Image != "" {
		c.Image = o.Image
	}
	if o.PullPolicy != "" {
		c.ImagePullPolicy = o.PullPolicy
	}
	c.Stdin, c.TTY = o.Stdin, o.TTY
}

// fill makes a new container.
func (o *Options) fill(c *corev1.Container, name string) {
	*c = corev1.Container{
		Name: name, Env: o.Env, Image: o.Image, ImagePullPolicy: o.PullPolicy, Stdin: o.Stdin, TTY: o.TTY,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	if o.ArgsOnly {
		c.Args = o.Args
	} else {
		c.Command = o.Args
	}
}

// name is that of a new container of a pod.
func (o *Options) name(pod *corev1.Pod) string {
	if o.Container != "" {
		return o.Container
	}
	for {
		name := "debugger-" + o.Suffix()
		if find(pod, name) == nil {
			o.Say("Defaulting debug container name to %s.", name)
			return name
		}
	}
}

// find returns the container of that name, of whatever kind; nil: there is none.
func find(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		if i := slices.IndexFunc(list, func(c corev1.Container) bool { return c.Name == name }); i >= 0 {
			return &list[i]
		}
	}
	list := pod.Spec.EphemeralContainers
	if i := slices.IndexFunc(list, func(c corev1.EphemeralContainer) bool { return c.Name == name }); i >= 0 {
		return (*corev1.Container)(&list[i].EphemeralContainerCommon)
	}
	return nil
}

// PowersLost says whether a container has powers that it does not get, because its pod's user is not root.
func PowersLost(pod *corev1.Pod, c *corev1.Container) bool {
	user, s := pod.Spec.SecurityContext, c.SecurityContext
	if user == nil || user.RunAsUser == nil || *user.RunAsUser == 0 || s == nil || s.RunAsUser != nil && *s.RunAsUser == 0 {
		return false
	}
	return s.Privileged != nil && *s.Privileged || s.Capabilities != nil && len(s.Capabilities.Add) > 0
}
