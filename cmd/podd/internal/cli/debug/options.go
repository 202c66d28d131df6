// Package debug makes what `podd debug` runs: an ephemeral container, a copy of a pod, or a pod that looks at the board, as
// `kubectl debug` makes them. It decides and does nothing.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_debug/
package debug

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/images/reference"
)

// Options are the flags of the command.
type Options struct {
	Args       []string // behind --
	ArgsOnly   bool     // they are the arguments, and not the command
	Container  string
	CopyTo     string
	Custom     *corev1.Container // what the file of --custom says
	Env        []corev1.EnvVar
	Image      string
	Keep       Keep
	Profile    string
	PullPolicy corev1.PullPolicy
	Replace    bool
	SameNode   bool
	SetImages  map[string]string // by the container's name; "*" is all others
	// ShareProcesses is nil unless the flag was given.
	ShareProcesses *bool
	Stdin, TTY     bool
	Target         string
	// Attach: it was asked for with --attach.
	Attach bool

	// Suffix makes five characters that no other has; Say tells the user something.
	Suffix func() string
	Say    func(format string, args ...any)
}

// Validate says what does not go together, in kubectl's words.
func (o *Options) Validate() error {
	if o.Attach && o.Image == "" && o.Container == "" {
		return errors.New("you must specify --container or create a new container using --image in order to attach")
	}
	if err := o.validateCopy(); err != nil {
		return err
	}
	if o.Image != "" && !validImage(o.Image) {
		return fmt.Errorf("invalid image name %q: invalid reference format", o.Image)
	}
	for name, image := range o.SetImages {
		if !validImage(image) {
			return fmt.Errorf("invalid image name %q for container %q: invalid reference format", image, name)
		}
	}
	switch o.PullPolicy {
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever, "":
	default:
		return fmt.Errorf("invalid image pull policy: %s", o.PullPolicy)
	}
	if !slices.Contains(Profiles(), o.Profile) {
		return fmt.Errorf("unknown profile: %s", o.Profile)
	}
	if o.Target != "" && o.CopyTo != "" {
		return errors.New("--target is incompatible with --copy-to. Use --share-processes instead")
	}
	if o.TTY && !o.Stdin {
		return errors.New("-i/--stdin is required for containers with -t/--tty=true")
	}
	if c := o.Custom; c != nil && (c.Name != "" || len(c.Command) > 0 || c.Image != "" || c.Lifecycle != nil || len(c.VolumeDevices) > 0) {
		return errors.New("name, command, image, lifecycle and volume devices are not modifiable via custom profile")
	}
	return nil
}

func (o *Options) validateCopy() error {
	switch {
	case o.CopyTo != "" && o.Image == "" && len(o.SetImages) == 0 && len(o.Args) == 0:
		return errors.New("you must specify --image, --set-image or command arguments")
	case o.CopyTo != "" && len(o.Args) > 0 && o.Container == "" && o.Image == "":
		return errors.New("you must specify an existing container or a new image when specifying args")
	case o.CopyTo != "":
		return nil
	case o.Replace:
		return errors.New("--replace may only be used with --copy-to")
	case o.SameNode:
		return errors.New("--same-node may only be used with --copy-to")
	case len(o.SetImages) > 0:
		return errors.New("--set-image may only be used with --copy-to")
	case o.Image == "":
		return errors.New("you must specify --image when not using --copy-to")
	}
	return nil
}

func validImage(image string) bool {
	_, err := reference.Parse(image)
	return err == nil
}
