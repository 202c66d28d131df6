package imagepull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/images/reference"
	"podd/images/registry"
)

// Keys are the credentials that a pod brings.
type Keys struct {
	Entries *registry.Entries // nil: none
	// Missing are the Secrets that are not there, or cannot be read; Faults the sentences about those that are not as they
	// should be.
	Missing []string
	Faults  []string
	// Identity tells the credentials of pods apart.
	Identity string
}

// KeysOf collects the credentials of Secrets. get gives a Secret that can be read, or nil.
func KeysOf(names []string, get func(name string) *corev1.Secret) Keys {
	var k Keys
	sum := sha256.New()
	for _, name := range names {
		s := get(name)
		if s == nil {
			k.Missing = append(k.Missing, name)
			continue
		}
		if k.Entries == nil {
			k.Entries = &registry.Entries{}
		}
		from := registry.SecretRef{Namespace: s.Namespace, Name: s.Name, UID: string(s.UID)}
		var err error
		switch s.Type {
		case corev1.SecretTypeDockerConfigJson:
			err = k.Entries.AddDockerConfigJSON(s.Data[corev1.DockerConfigJsonKey], from)
		case corev1.SecretTypeDockercfg:
			err = k.Entries.AddDockercfg(s.Data[corev1.DockerConfigKey], from)
		default:
			err = fmt.Errorf("it is of the type %s and not %s", s.Type, corev1.SecretTypeDockerConfigJson)
		}
		if err != nil {
			k.Faults = append(k.Faults, fmt.Sprintf("Secret %s has no credentials of registries: %v", name, err))
		}
		fmt.Fprintf(sum, "%q %q %q %q", s.Namespace, s.Name, s.Data[corev1.DockerConfigJsonKey], s.Data[corev1.DockerConfigKey])
	}
	if k.Entries != nil {
		k.Identity = hex.EncodeToString(sum.Sum(nil))
	}
	return k
}

// SecretNames are the pull secrets of a pod: its own, or else those of its ServiceAccount, as the API server fills them in.
func SecretNames(pod *corev1.PodSpec, account *corev1.ServiceAccount) []string {
	refs := pod.ImagePullSecrets
	if len(refs) == 0 && account != nil {
		refs = account.ImagePullSecrets
	}
	var names []string
	for _, ref := range refs {
		if ref.Name != "" && !slices.Contains(names, ref.Name) {
			names = append(names, ref.Name)
		}
	}
	return names
}

// For lists the credentials that fit an image.
func (k Keys) For(image string) []registry.Credential {
	name, err := reference.Normalize(image)
	if err != nil || k.Entries == nil {
		return nil
	}
	ref, err := registry.ParseReference(name)
	if err != nil {
		return nil
	}
	return k.Entries.Lookup(context.Background(), ref.Repository())
}
