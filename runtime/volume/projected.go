package volume

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// tokenMode is that of a token which its only user owns.
const tokenMode = 0o600

func projectedFiles(p *corev1.ProjectedVolumeSource, owner Owner, l *Lookup) (Payload, error) {
	out := Payload{}
	for i := range p.Sources {
		part, err := projectedSource(&p.Sources[i], base(p.DefaultMode, p.DefaultUser), owner, l)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, part) // of two sources that have one path, the later counts
	}
	return out, nil
}

func projectedSource(s *corev1.VolumeProjection, base File, owner Owner, l *Lookup) (Payload, error) {
	switch {
	case s.Secret != nil:
		return secretFiles(s.Secret.Name, s.Secret.Items, base, isTrue(s.Secret.Optional), l)
	case s.ConfigMap != nil:
		return configMapFiles(s.ConfigMap.Name, s.ConfigMap.Items, base, isTrue(s.ConfigMap.Optional), l)
	case s.DownwardAPI != nil:
		return downwardFiles(s.DownwardAPI.Items, base, l)
	case s.ServiceAccountToken != nil:
		return tokenFile(s.ServiceAccountToken, base, owner, l)
	case s.ClusterTrustBundle != nil:
		text, err := l.Bundle(s.ClusterTrustBundle)
		if err != nil {
			return nil, err
		}
		return Payload{s.ClusterTrustBundle.Path: base.with([]byte(text), nil, nil)}, nil
	}
	return Payload{}, nil
}

// tokenFile is for the pod's only user alone, if it has one, or for its group.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-storage/2451-service-account-token-volumes
func tokenFile(t *corev1.ServiceAccountTokenProjection, base File, owner Owner, l *Lookup) (Payload, error) {
	token, err := l.Token(t)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch token: %w", err)
	}
	f := base.with([]byte(token), nil, t.User)
	if owner.User != nil || owner.Group != nil {
		f.Mode = tokenMode
	}
	if owner.User != nil {
		f.UID = int(*owner.User)
	}
	return Payload{t.Path: f}, nil
}
