package objects

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
	"podd/runtime/seal"
)

// unseal opens a sealed Secret in place. One that cannot be opened has no data, and whoever needs it waits.
func (d *Desired) unseal(key Key, s *corev1.Secret, now time.Time) {
	delete(d.locked, key)
	if !annotation.IsSealed(s) {
		return
	}
	s.Annotations = maps.Clone(s.Annotations)
	s.Annotations[annotation.SealedSumKey] = annotation.SealedSum(s)
	data, err := d.open(s)
	s.Data = data
	if err == nil {
		return
	}
	if d.locked == nil {
		d.locked = map[Key]error{}
	}
	d.locked[key] = fmt.Errorf("secret %q cannot be opened: %w", s.Name, err)
	d.Log.Error("secret cannot be opened", "namespace", s.Namespace, "name", s.Name, "error", err)
	d.RecordEvent(now, key.Reference(), corev1.EventTypeWarning, "SealedSecret", d.locked[key].Error())
}

// open returns the data of a sealed Secret.
func (d *Desired) open(s *corev1.Secret) (map[string][]byte, error) {
	if form := s.Annotations[annotation.SealedKey]; form != seal.Form {
		return nil, fmt.Errorf("this podd does not know the form %q of %s; it knows %q", form, annotation.SealedKey, seal.Form)
	}
	identity, err := d.Keys.Identity()
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
	return data, kinds.ValidateSecretData(&open)
}

// warnReadable says that everybody on the machine can read a Secret.
func (d *Desired) warnReadable(o *manifest.Object, s *corev1.Secret, now time.Time) {
	if annotation.IsSealed(s) || len(s.Data) == 0 || o.Mode&0o004 == 0 {
		return
	}
	text := fmt.Sprintf("%s: Secret %q can be read by every user of this machine: chmod o-r the file, or seal it with podd seal", o.File, s.Name)
	d.Log.Warn("secret can be read by everybody", "file", o.File, "name", s.Name)
	d.RecordEvent(now, KeyOf(o).Reference(), corev1.EventTypeWarning, "SecretReadable", text)
}
