package trust

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// fakeRegistry has things by their kind and name.
type fakeRegistry map[string][]byte

func (f fakeRegistry) get(name string, limit int64) ([]byte, error) {
	data, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	if data == nil || int64(len(data)) > limit {
		return nil, errors.New("503 of " + name)
	}
	return data, nil
}

func (f fakeRegistry) Manifest(_ context.Context, repository, at string, limit int64) ([]byte, error) {
	return f.get("manifest "+repository+" "+at, limit)
}

func (f fakeRegistry) Blob(_ context.Context, repository, digest string, limit int64) ([]byte, error) {
	return f.get("blob "+repository+" "+digest, limit)
}

func (f fakeRegistry) Referrers(_ context.Context, repository, digest string, limit int64) ([]byte, error) {
	return f.get("referrers "+repository+" "+digest, limit)
}

func (f fakeRegistry) URL(_ context.Context, address string, limit int64) ([]byte, error) {
	return f.get(address, limit)
}

func signatureLayer(s Signature) descriptor {
	return descriptor{
		MediaType: simpleSigning, Digest: digestOf(string(s.Payload)),
		Annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(s.Signature)},
	}
}

// Signatures are found wherever cosign has put them: below its tag, as a referrer in the registry's list or in the index of
// older registries, as a bundle, and in a lookaside store.
func TestCollect(t *testing.T) {
	owner := newSigner(t, "owner.pub", "P-256")
	const repository = "example.com/team/app"
	digest := digestOf("image")
	hex := digest[len("sha256:"):]
	classic := owner.classic(t, repository, digest)
	manifest := marshal(t, document{Layers: []descriptor{{MediaType: "text/plain", Digest: "x"}, signatureLayer(classic)}})
	bundle := owner.bundle(t, digest, cosignPredicate)
	bundled := marshal(t, document{Layers: []descriptor{{MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", Digest: digestOf(string(bundle))}}})
	index := marshal(t, document{Manifests: []descriptor{
		{ArtifactType: "application/spdx+json", Digest: "sha256:none"},
		{ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", Digest: digestOf(string(bundled))},
	}})
	blobs := fakeRegistry{
		"blob " + repository + " " + digestOf(string(classic.Payload)):   classic.Payload,
		"blob " + repository + " " + digestOf(string(bundle)):            bundle,
		"manifest " + repository + " " + digestOf(string(bundled)):       bundled,
		"https://signatures.example.com/x/unrelated@sha256=/signature-1": []byte("x"),
	}
	beside := append([]byte("\x00sigstore-json\n"), marshal(t, map[string]any{
		"mimeType": simpleSigning, "payload": classic.Payload, "annotations": signatureLayer(classic).Annotations,
	})...)
	for where, more := range map[string]fakeRegistry{
		"tag":            {"manifest " + repository + " sha256-" + hex + ".sig": manifest},
		"referrers":      {"referrers " + repository + " " + digest: index},
		"referrers' tag": {"manifest " + repository + " sha256-" + hex: index},
		"lookaside": {
			"https://signatures.example.com/x/team/app@sha256=" + hex + "/signature-1": []byte("GPG's"),
			"https://signatures.example.com/x/team/app@sha256=" + hex + "/signature-2": beside,
		},
	} {
		registry := fakeRegistry{}
		for _, m := range []fakeRegistry{blobs, more} {
			for k, v := range m {
				registry[k] = v
			}
		}
		found, err := Collect(t.Context(), registry, repository, []string{digest, digestOf("index")}, "https://signatures.example.com/x/")
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %d, %v", where, len(found), err)
			continue
		}
		p := oneScope(t, "example.com", owner.file, `{"type": "matchDigest"}`)
		if _, err := p.Check(Image{ref(t, repository), []string{digest}, found}); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		if found, err := Collect(t.Context(), blobs, repository, []string{digest}, ""); err != nil || found != nil {
			t.Errorf("without a signature: %v, %v", found, err)
		}
		registry["manifest "+repository+" sha256-"+hex+".sig"] = nil
		found, err = Collect(t.Context(), registry, repository, []string{digest}, "")
		if strings.HasPrefix(where, "referrers") { // what is found counts, whatever else fails
			if err != nil || len(found) != 1 {
				t.Errorf("%s, with a tag that cannot be fetched: %d, %v", where, len(found), err)
			}
		} else if len(found) != 0 || err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("%s, with a registry that fails: %d, %v", where, len(found), err)
		}
	}
}

func TestLookasides(t *testing.T) {
	l, err := ParseLookasides(map[string][]byte{
		"default.yaml": []byte(`{"default-docker": {"lookaside": "file:///var/lib/signatures"}}`),
		"a.yaml":       []byte(`{"docker": {"example.com": {"sigstore": "https://s.example.com", "use-sigstore-attachments": true}, "example.com/none": {}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"busybox": "file:///var/lib/signatures", "example.com/a:1": "https://s.example.com", "example.com/none/x": ""} {
		if got := l.Of(ref(t, name)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for want, files := range map[string]map[string][]byte{
		"default-docker is in a and in b": {"a": []byte(`{"default-docker": {}}`), "b": []byte(`{"default-docker": {}}`)},
		"docker.x.y is in a and in b":     {"a": []byte(`{"docker": {"x.y": {}}}`), "b": []byte(`{"docker": {"x.y": {}}}`)},
		"neither http, https nor file":    {"a": []byte(`{"docker": {"x.y": {"lookaside": "ftp://x"}}}`)},
		`"Lookaside" must be written`:     {"a": []byte(`{"docker": {"x.y": {"lookaside": "https://x", "Lookaside": "https://y"}}}`)},
		`"SIGSTORE" must be written`:      {"a": []byte(`{"default-docker": {"SIGSTORE": "https://x"}}`)},
		"unknown field":                   {"a": []byte(`{"docker": {"x.y": {"lookasides": "ftp://x"}}}`)},
	} {
		if _, err := ParseLookasides(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if (*Lookasides)(nil).Of(ref(t, "a")) != "" {
		t.Error("no files, and a store")
	}
}
