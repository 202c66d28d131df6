package runtime

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/seal"
	"podd/runtime/state"
)

// unseal opens a sealed Secret in place. One that cannot be opened has no data, and whoever needs it waits.
func (r *Runtime) unseal(key objectKey, s *corev1.Secret, now state.Instant) {
	text := ""
	if manifest.IsSealed(s) {
		data, err := r.openSecret(s)
		s.Data = data
		if err != nil {
			text = fmt.Sprintf("secret %q cannot be opened: %v", s.Name, err)
			r.Log.Error("secret cannot be opened", "namespace", s.Namespace, "name", s.Name, "error", err)
			r.Events.Record(now.Wall, objectReference("Secret", s.Namespace, s.Name), corev1.EventTypeWarning, "SealedSecret", text)
		}
	}
	r.objects.setLocked(key, text)
}

func (r *Runtime) openSecret(s *corev1.Secret) (map[string][]byte, error) {
	if form := s.Annotations[manifest.AnnotationSealed]; form != seal.Form {
		return nil, fmt.Errorf("this podd does not know the form %q of %s; it knows %q", form, manifest.AnnotationSealed, seal.Form)
	}
	identity, err := seal.Of(r.RootDir).Identity()
	if err != nil {
		return nil, err
	}
	data := make(map[string][]byte, len(s.Data))
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		if data[k], err = seal.Open(seal.Place{Namespace: s.Namespace, Name: s.Name, Key: k}, s.Data[k], identity); err != nil {
			if errors.Is(err, seal.ErrNotOurs) {
				err = fmt.Errorf("%w; seal it for %s, which is this one", err, identity.Recipient())
			}
			return nil, err
		}
	}
	open := *s
	open.Data = data
	return data, manifest.ValidateSecretData(&open)
}

func (o *objects) setLocked(key objectKey, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.locked, key)
	if why != "" {
		o.locked[key] = why
	}
}

// whyLocked is the sentence about a sealed Secret that could not be opened, or nil.
func (o *objects) whyLocked(key objectKey) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if why := o.locked[key]; why != "" {
		return errors.New(why)
	}
	return nil
}

// warnReadable says that everybody on the machine can read a Secret.
func (r *Runtime) warnReadable(o *manifest.Object, s *corev1.Secret, now state.Instant) {
	if manifest.IsSealed(s) || len(s.Data) == 0 || o.Mode&0o004 == 0 {
		return
	}
	text := fmt.Sprintf("%s: Secret %q can be read by every user of this machine: chmod o-r the file, or seal it with podd seal", o.File, s.Name)
	r.Log.Warn("secret can be read by everybody", "file", o.File, "name", s.Name)
	r.Events.Record(now.Wall, objectReference("Secret", s.Namespace, s.Name), corev1.EventTypeWarning, "SecretReadable", text)
}
