package volume

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// objects is a Lookup of a ConfigMap "settings" and a Secret "keys"; "locked" is one that this board cannot read.
func objects() *Lookup {
	return &Lookup{
		ConfigMap: func(name string) *corev1.ConfigMap {
			if name != "settings" {
				return nil
			}
			return &corev1.ConfigMap{
				Data:       map[string]string{"mode": "fast", "empty": ""},
				BinaryData: map[string][]byte{"blob": {0, 255}},
			}
		},
		Secret: func(name string) (*corev1.Secret, error) {
			switch name {
			case "keys":
				return &corev1.Secret{Data: map[string][]byte{"tls.key": []byte("private"), "tls.crt": []byte("public")}}, nil
			case "locked":
				return nil, errors.New("it is sealed for another board")
			}
			return nil, nil
		},
		Field: func(s *corev1.ObjectFieldSelector) (string, error) {
			if s.FieldPath == "metadata.name" {
				return "web", nil
			}
			return "", fmt.Errorf("no field %s", s.FieldPath)
		},
		Resource: func(s *corev1.ResourceFieldSelector) (string, error) {
			if s.Resource == "limits.cpu" {
				return "2", nil
			}
			return "", fmt.Errorf("no resource %s", s.Resource)
		},
		Token: func(t *corev1.ServiceAccountTokenProjection) (string, error) {
			if t.Audience == "nobody" {
				return "", errors.New("no such audience")
			}
			return "token for " + t.Audience, nil
		},
		Bundle: func(b *corev1.ClusterTrustBundleProjection) (string, error) {
			if b.Name != nil && *b.Name == "roots" {
				return "certificates", nil
			}
			return "", &notFound{"bundle is not there"}
		},
	}
}

// list writes a payload as "path=data mode uid" lines, sorted.
func list(p Payload) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		f := p[name]
		lines = append(lines, fmt.Sprintf("%s=%q %o %d", name, f.Data, f.Mode, f.UID))
	}
	return strings.Join(lines, "\n")
}

func ptr[T any](v T) *T { return &v }

// payloadCase is a volume, and its files or what is said of it.
type payloadCase struct {
	name  string
	v     corev1.VolumeSource
	owner Owner
	want  string
	err   string
}

func checkPayloads(t *testing.T, cases []payloadCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p, ok, err := Files(&corev1.Volume{Name: "v", VolumeSource: tc.v}, tc.owner, objects())
			if !ok {
				t.Fatal("it is taken for a volume that podd does not write")
			}
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := list(p); got != strings.TrimSpace(tc.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func configMap(c corev1.ConfigMapVolumeSource, name string) corev1.VolumeSource {
	c.Name = name
	return corev1.VolumeSource{ConfigMap: &c}
}

func TestConfigMapFiles(t *testing.T) {
	item := func(key, path string) corev1.KeyToPath { return corev1.KeyToPath{Key: key, Path: path} }
	checkPayloads(t, []payloadCase{
		{name: "all of it", v: configMap(corev1.ConfigMapVolumeSource{}, "settings"), want: `
blob="\x00\xff" 644 0
empty="" 644 0
mode="fast" 644 0`},
		{name: "with a mode", v: configMap(corev1.ConfigMapVolumeSource{DefaultMode: ptr(int32(0o400)), DefaultUser: ptr(int64(7))}, "settings"), want: `
blob="\x00\xff" 400 7
empty="" 400 7
mode="fast" 400 7`},
		{name: "some of it", v: configMap(corev1.ConfigMapVolumeSource{Items: []corev1.KeyToPath{item("mode", "etc/mode"), item("blob", "b")}}, "settings"), want: `
b="\x00\xff" 644 0
etc/mode="fast" 644 0`},
		{name: "one key twice", v: configMap(corev1.ConfigMapVolumeSource{Items: []corev1.KeyToPath{item("mode", "a"), item("mode", "b")}}, "settings"), want: `
a="fast" 644 0
b="fast" 644 0`},
		{name: "an item's own mode and user", v: configMap(corev1.ConfigMapVolumeSource{DefaultMode: ptr(int32(0o600)), DefaultUser: ptr(int64(1)), Items: []corev1.KeyToPath{{Key: "mode", Path: "m", Mode: ptr(int32(0o444)), User: ptr(int64(9))}, item("empty", "e")}}, "settings"), want: `
e="" 600 1
m="fast" 444 9`},
		{name: "not there", v: configMap(corev1.ConfigMapVolumeSource{}, "other"), err: `configmap "other" not found`},
		{name: "not there, and not needed", v: configMap(corev1.ConfigMapVolumeSource{Optional: ptr(true)}, "other"), want: ""},
		{name: "said to be needed", v: configMap(corev1.ConfigMapVolumeSource{Optional: ptr(false)}, "other"), err: `configmap "other" not found`},
		{name: "a key that is not there", v: configMap(corev1.ConfigMapVolumeSource{Items: []corev1.KeyToPath{item("mode", "m"), item("none", "n")}}, "settings"), err: "references non-existent config key: none"},
		{name: "a key that is not needed", v: configMap(corev1.ConfigMapVolumeSource{Optional: ptr(true), Items: []corev1.KeyToPath{item("mode", "m"), item("none", "n")}}, "settings"), want: `m="fast" 644 0`},
	})
}

func TestSecretFiles(t *testing.T) {
	secret := func(s corev1.SecretVolumeSource, name string) corev1.VolumeSource {
		s.SecretName = name
		return corev1.VolumeSource{Secret: &s}
	}
	checkPayloads(t, []payloadCase{
		{name: "all of it", v: secret(corev1.SecretVolumeSource{DefaultMode: ptr(int32(0o400))}, "keys"), want: `
tls.crt="public" 400 0
tls.key="private" 400 0`},
		{name: "one key", v: secret(corev1.SecretVolumeSource{Items: []corev1.KeyToPath{{Key: "tls.key", Path: "key", Mode: ptr(int32(0o440)), User: ptr(int64(33))}}}, "keys"), want: `key="private" 440 33`},
		{name: "not there", v: secret(corev1.SecretVolumeSource{}, "none"), err: `secret "none" not found`},
		{name: "not there, and not needed", v: secret(corev1.SecretVolumeSource{Optional: ptr(true)}, "none"), want: ""},
		{name: "that cannot be read", v: secret(corev1.SecretVolumeSource{}, "locked"), err: "sealed for another board"},
		// A Secret that is there and cannot be opened is not one that is missing: a pod that is started without it could do harm.
		{name: "that cannot be read, and not needed", v: secret(corev1.SecretVolumeSource{Optional: ptr(true)}, "locked"), err: "sealed for another board"},
		{name: "a key that is not there", v: secret(corev1.SecretVolumeSource{Items: []corev1.KeyToPath{{Key: "none", Path: "n"}}}, "keys"), err: "references non-existent secret key: none"},
		{name: "a key that is not needed", v: secret(corev1.SecretVolumeSource{Optional: ptr(true), Items: []corev1.KeyToPath{{Key: "none", Path: "n"}}}, "keys"), want: ""},
	})
}

func TestDownwardFiles(t *testing.T) {
	field := func(path, ref string) corev1.DownwardAPIVolumeFile {
		return corev1.DownwardAPIVolumeFile{Path: path, FieldRef: &corev1.ObjectFieldSelector{FieldPath: ref}}
	}
	figure := func(path, ref string) corev1.DownwardAPIVolumeFile {
		return corev1.DownwardAPIVolumeFile{Path: path, ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: ref}}
	}
	own := field("own", "metadata.name")
	own.Mode, own.User = ptr(int32(0o400)), ptr(int64(5))
	downward := func(items ...corev1.DownwardAPIVolumeFile) corev1.VolumeSource {
		return corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: items, DefaultMode: ptr(int32(0o640)), DefaultUser: ptr(int64(2))}}
	}
	checkPayloads(t, []payloadCase{
		{name: "nothing", v: downward(), want: ""},
		{name: "fields and resources", v: downward(field("info/name", "metadata.name"), figure("cpu", "limits.cpu"), own), want: `
cpu="2" 640 2
info/name="web" 640 2
own="web" 400 5`},
		{name: "a field that is none", v: downward(field("x", "spec.nothing")), err: `cannot make file "x": no field spec.nothing`},
		{name: "a resource that is none", v: downward(figure("y", "limits.gold")), err: `cannot make file "y": no resource limits.gold`},
	})
}

func TestProjectedFiles(t *testing.T) {
	projected := func(sources ...corev1.VolumeProjection) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: ptr(int32(0o644))}}
	}
	reference := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	token := func(audience string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, Path: "token"}}
	}
	settings := corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: reference("settings"), Items: []corev1.KeyToPath{{Key: "mode", Path: "shared"}}}}
	keys := corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: reference("keys"), Items: []corev1.KeyToPath{{Key: "tls.key", Path: "shared"}}}}
	name := corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}}
	bundle := func(name string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: &name, Path: "ca.pem"}}
	}
	none := corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: reference("none")}}
	optional := corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: reference("none"), Optional: ptr(true)}}
	mine := token("api")
	mine.ServiceAccountToken.User = ptr(int64(77))
	checkPayloads(t, []payloadCase{
		{name: "nothing", v: projected(), want: ""},
		{name: "a source of no type", v: projected(corev1.VolumeProjection{}), want: ""},
		{name: "all types", v: projected(settings, name, token("api"), bundle("roots")), want: `
ca.pem="certificates" 644 0
name="web" 644 0
shared="fast" 644 0
token="token for api" 644 0`},
		{name: "the later of two counts", v: projected(settings, keys), want: `shared="private" 644 0`},
		{name: "and the other way round", v: projected(keys, settings), want: `shared="fast" 644 0`},
		{name: "what is missing", v: projected(settings, none), err: `secret "none" not found`},
		{name: "what is missing and not needed", v: projected(optional, settings), want: `shared="fast" 644 0`},
		{name: "a token for nobody", v: projected(token("nobody")), err: "failed to fetch token: no such audience"},
		{name: "a bundle that is not there", v: projected(bundle("none")), err: "bundle is not there"},
		{name: "a token of the only user", owner: Owner{User: ptr(int64(1000))}, v: projected(token("api"), name), want: `
name="web" 644 0
token="token for api" 600 1000`},
		{name: "a token of a group", owner: Owner{Group: ptr(int64(2000))}, v: projected(token("api")), want: `token="token for api" 600 0`},
		{name: "a token of both", owner: Owner{User: ptr(int64(1000)), Group: ptr(int64(2000))}, v: projected(token("api")), want: `token="token for api" 600 1000`},
		{name: "a token of a user that it names", v: projected(mine), want: `token="token for api" 644 77`},
	})
}

// What a volume lacks may come yet, and is told apart from what will never do.
func TestWhatMayComeYet(t *testing.T) {
	volume := func(s corev1.VolumeSource) error {
		_, _, err := Files(&corev1.Volume{Name: "v", VolumeSource: s}, Owner{}, objects())
		return err
	}
	keys := []corev1.KeyToPath{{Key: "none", Path: "n"}}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"no ConfigMap":    {volume(configMap(corev1.ConfigMapVolumeSource{}, "none")), true},
		"no key of one":   {volume(configMap(corev1.ConfigMapVolumeSource{Items: keys}, "settings")), true},
		"no Secret":       {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "none"}}), true},
		"no key of it":    {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys", Items: keys}}), true},
		"a sealed Secret": {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "locked"}}), true},
		"a wrong field": {volume(corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{Path: "x", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "none"}}},
		}}), false},
	} {
		if tc.err == nil || errors.Is(tc.err, ErrNotFound) != tc.want {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
}

// The other types have files of their own.
func TestVolumesThatPoddDoesNotWrite(t *testing.T) {
	for name, v := range map[string]corev1.VolumeSource{
		"emptyDir":              {EmptyDir: &corev1.EmptyDirVolumeSource{}},
		"hostPath":              {HostPath: &corev1.HostPathVolumeSource{Path: "/x"}},
		"persistentVolumeClaim": {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}},
		"ephemeral":             {Ephemeral: &corev1.EphemeralVolumeSource{}},
		"image":                 {Image: &corev1.ImageVolumeSource{Reference: "i"}},
		"nfs":                   {NFS: &corev1.NFSVolumeSource{Server: "s", Path: "/"}},
		"nothing":               {},
	} {
		if p, ok, err := Files(&corev1.Volume{Name: "v", VolumeSource: v}, Owner{}, objects()); ok || err != nil || p != nil {
			t.Errorf("%s: %v, %v, %v", name, p, ok, err)
		}
	}
}
