package volume

import (
	corev1 "k8s.io/api/core/v1"
)

// File is one file of a volume that podd writes.
type File struct {
	Data []byte
	Mode uint32 // permission bits
	UID  int    // owner
}

// Payload are the files of a volume by their path in it.
type Payload map[string]File

// Lookup gives the values that volumes are made of.
type Lookup struct {
	ConfigMap func(name string) *corev1.ConfigMap       // nil: there is none
	Secret    func(name string) (*corev1.Secret, error) // an error says why one that is there cannot be read
	Field     func(*corev1.ObjectFieldSelector) (string, error)
	Resource  func(*corev1.ResourceFieldSelector) (string, error)
	// Token makes a token of the pod's service account.
	Token func(*corev1.ServiceAccountTokenProjection) (string, error)
	// Bundle are the certificates of a trust bundle.
	Bundle func(*corev1.ClusterTrustBundleProjection) (string, error)
}

// Files makes the payload of a volume whose files podd writes; ok says that it is such a volume.
func Files(v *corev1.Volume, owner Owner, l *Lookup) (payload Payload, ok bool, err error) {
	switch {
	case v.ConfigMap != nil:
		payload, err = configMapFiles(v.ConfigMap.Name, v.ConfigMap.Items, base(v.ConfigMap.DefaultMode, v.ConfigMap.DefaultUser), isTrue(v.ConfigMap.Optional), l)
	case v.Secret != nil:
		payload, err = secretFiles(v.Secret.SecretName, v.Secret.Items, base(v.Secret.DefaultMode, v.Secret.DefaultUser), isTrue(v.Secret.Optional), l)
	case v.DownwardAPI != nil:
		payload, err = downwardFiles(v.DownwardAPI.Items, base(v.DownwardAPI.DefaultMode, v.DownwardAPI.DefaultUser), l)
	case v.Projected != nil:
		payload, err = projectedFiles(v.Projected, owner, l)
	default:
		return nil, false, nil
	}
	return payload, true, err
}

// pick applies items to what an object has: all of it without any, and otherwise those at their paths.
func pick(values map[string][]byte, items []corev1.KeyToPath, f File, missing func(key string) error) (Payload, error) {
	out := make(Payload, len(values))
	if len(items) == 0 {
		for key, data := range values {
			out[key] = f.with(data, nil, nil)
		}
		return out, nil
	}
	for i := range items {
		data, ok := values[items[i].Key]
		if !ok {
			if err := missing(items[i].Key); err != nil {
				return nil, err
			}
			continue
		}
		out[items[i].Path] = f.with(data, items[i].Mode, items[i].User)
	}
	return out, nil
}

// base is what the files of a volume have in common. The mode is a field that the API defaults.
func base(mode *int32, user *int64) File { return File{Mode: 0o644}.with(nil, mode, user) }

// with is a file with its own data, and its own mode and owner if it has any.
func (f File) with(data []byte, mode *int32, user *int64) File {
	f.Data = data
	if mode != nil {
		f.Mode = uint32(*mode)
	}
	if user != nil {
		f.UID = int(*user)
	}
	return f
}

func isTrue(b *bool) bool { return b != nil && *b }
