package imagepull

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
	"podd/images/trust"
	"podd/runtime/state"
)

// board is a store, a registry and a puller between them.
type board struct {
	store  *images.Store
	reg    *registrytest.Registry
	host   string
	puller *Puller
	policy string // the file's text
	rules  *Rules
}

func newBoard(t *testing.T) *board {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the image store keeps owners")
	}
	b := &board{reg: registrytest.New(), rules: &Rules{}}
	var err error
	dir := t.TempDir()
	if b.store, err = images.Open(filepath.Join(dir, "store"), images.Options{}); err != nil {
		t.Fatal(err)
	}
	b.host = b.reg.Start(t)
	client := &registry.Client{Patience: registry.Patience{First: 1, Most: 1000}}
	gate := &Gate{Store: b.store, Client: client, Load: func() (*Rules, error) {
		rules := *b.rules
		if b.policy == "" {
			return &rules, nil
		}
		p, err := trust.ParsePolicy([]byte(b.policy), os.ReadFile)
		rules.Policy = p
		return &rules, err
	}}
	b.puller = &Puller{
		Store: b.store, Client: client, Gate: gate, Settings: func() Settings { return Settings{} },
		Records: &Records{File: filepath.Join(dir, "pulls.json")},
	}
	b.reload(t)
	return b
}

func (b *board) reload(t *testing.T) {
	t.Helper()
	if err := b.puller.Gate.Reload(); err != nil {
		t.Fatal(err)
	}
}

// signer signs as cosign does.
type signer struct {
	key  *ecdsa.PrivateKey
	file string
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s := signer{key, filepath.Join(t.TempDir(), "team.pub")}
	if err := os.WriteFile(s.file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// manifest is that of a signature of an image, and the payload that it leads to.
func (s signer) manifest(t *testing.T, name, digest string) (manifest, payload []byte) {
	t.Helper()
	payload = fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, name, digest)
	sum := sha256.Sum256(payload)
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": imagetest.Digest([]byte("{}")), "size": 2},
		"layers": []any{map[string]any{
			"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": imagetest.Digest(payload), "size": len(payload),
			"annotations": map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return manifest, payload
}

// sign puts a signature beside an image of the registry.
func (b *board) sign(t *testing.T, s signer, repository, digest string) {
	t.Helper()
	manifest, payload := s.manifest(t, b.host+"/"+repository, digest)
	b.reg.AddBlob(imagetest.Digest(payload), payload)
	b.reg.AddManifest(repository, trust.TagOf(digest), "application/vnd.oci.image.manifest.v1+json", manifest)
}

func (b *board) demand(s signer) {
	b.policy = fmt.Sprintf(`{"default": [{"type": "reject"}], "transports": {"docker": {%q: [{"type": "sigstoreSigned", "keyPath": %q, "signedIdentity": {"type": "matchRepository"}}]}}}`, b.host, s.file)
}

func small() imagetest.Image {
	return imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("hello", "world")}}}}
}

func (b *board) pull(image string) Result {
	return b.puller.Pull(context.Background(), Request{Image: image, ByHand: true})
}

func (b *board) judge(image, id string) Result {
	return b.puller.Pull(context.Background(), Request{Image: image, Judge: id})
}

func TestUnsignedImagesDoNotCome(t *testing.T) {
	b, owner, other := newBoard(t), newSigner(t), newSigner(t)
	digest := b.reg.Add(t, "team/app", "v1", small())
	image := b.host + "/team/app:v1"
	b.demand(owner)
	b.reload(t)
	refused := func(what string) {
		t.Helper()
		out := b.pull(image)
		if out.Reason != state.ReasonSignature || !strings.HasPrefix(out.Message, "image pull failed for "+image+" because the signature validation failed: ") {
			t.Errorf("%s: %s: %s", what, out.Reason, out.Message)
		}
		if left := b.store.List(); len(left) > 0 || b.reg.Served() > 4000 {
			t.Errorf("%s: %v came, and %d bytes", what, left, b.reg.Served())
		}
	}
	refused("without a signature")
	b.sign(t, other, "team/app", digest)
	refused("signed by somebody else")
	b.sign(t, owner, "team/app", digest)
	out := b.pull(image)
	if out.Err != nil || !b.puller.Passes(image, out.Image.ID) {
		t.Fatalf("a signed image: %v", out.Err)
	}
	if by := b.store.List()[0].SignedBy; !slices.Equal(by, []string{"team.pub"}) {
		t.Errorf("it is signed by %v", by)
	}
	// Offline, and after a restart: the signature is kept with the image.
	b.reg.Before = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	b.reload(t)
	if b.puller.Passes(image, out.Image.ID) {
		t.Error("the verdict of another policy counts")
	}
	if again := b.judge(image, out.Image.ID); again.Err != nil || !again.Judged || !b.puller.Passes(image, out.Image.ID) {
		t.Errorf("offline: %+v", again)
	}
	b.demand(other) // the key was taken out
	b.reload(t)
	if again := b.judge(image, out.Image.ID); again.Err == nil || b.puller.Passes(image, out.Image.ID) {
		t.Errorf("by a key that counts no more: %+v", again)
	}
	b.policy = ""
	b.reload(t)
	if !b.puller.Passes(image, out.Image.ID) {
		t.Error("without a policy it does not pass")
	}
}

// A policy that cannot be read lets nothing run.
func TestPolicyThatCannotBeRead(t *testing.T) {
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", small())
	b.policy = `{"default": [{"type": "insecureAcceptAnythin"}]}`
	if err := b.puller.Gate.Reload(); err == nil {
		t.Fatal("it was read")
	}
	if out := b.pull(b.host + "/app:v1"); out.Reason != state.ReasonSignature || !strings.Contains(out.Message, "insecureAcceptAnythin") {
		t.Errorf("%s: %s", out.Reason, out.Message)
	}
	if b.puller.Passes("x", "y") {
		t.Error("an image passes")
	}
}

// An archive gets around no policy, and may bring the signature itself.
func TestArchivesAreJudged(t *testing.T) {
	b, owner := newBoard(t), newSigner(t)
	img := small()
	img.Names = []string{"example.com/team/app:v1"}
	load := func(files map[string][]byte) images.Image {
		t.Helper()
		dir := t.TempDir()
		for name, data := range files {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := b.store.LoadPath(t.Context(), dir, images.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	files, err := imagetest.OCIFiles(img)
	if err != nil {
		t.Fatal(err)
	}
	got := load(files)
	b.puller.Client, b.puller.Gate.Client = nil, nil // nothing is pulled
	b.policy = fmt.Sprintf(`{"default": [{"type": "sigstoreSigned", "keyPath": %q, "signedIdentity": {"type": "matchRepository"}}]}`, owner.file)
	b.reload(t)
	if out := b.judge(img.Names[0], got.ID); out.Reason != state.ReasonSignature || b.puller.Passes(img.Names[0], got.ID) {
		t.Errorf("an archive without a signature: %s: %s", out.Reason, out.Message)
	}
	q := Question{Image: img.Names[0], Policy: corev1.PullNever, Passes: func(id string) bool { return b.puller.Passes(img.Names[0], id) }}
	if need := Need(b.store, q, false); need.There || !need.Pull {
		t.Errorf("the pod starts: %+v", need)
	}
	var index map[string]any
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	manifest, payload := owner.manifest(t, "example.com/team/app", got.Digest)
	list := index["manifests"].([]any)
	index["manifests"] = append(list, map[string]any{
		"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": imagetest.Digest(manifest), "size": len(manifest),
		"annotations": map[string]string{"kind": "dev.cosignproject.cosign/sigs"},
	})
	if files["index.json"], err = json.Marshal(index); err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{manifest, payload, []byte("{}")} {
		files["blobs/sha256/"+strings.TrimPrefix(imagetest.Digest(data), "sha256:")] = data
	}
	got = load(files)
	if out := b.judge(img.Names[0], got.ID); out.Err != nil || !b.puller.Passes(img.Names[0], got.ID) {
		t.Errorf("a signed archive: %s", out.Message)
	}
	if need := Need(b.store, q, false); !need.There {
		t.Errorf("the pod does not start: %+v", need)
	}
	if list := b.store.List(); len(list) != 1 || len(list[0].SignedBy) != 1 {
		t.Errorf("%+v", list)
	}
}

// Programs are asked once for an image and a name, and again when they are others.
func TestVerifierPrograms(t *testing.T) {
	b := newBoard(t)
	digest := b.reg.Add(t, "app", "v1", small())
	image := b.host + "/app:v1"
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	program := func(exit int) {
		t.Helper()
		text := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\necho because\nexit %d\n", asked, exit)
		if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "bin/verify"), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	times := func() int {
		data, err := os.ReadFile(asked)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Count(string(data), digest)
	}
	b.rules.Verifiers.Dir = filepath.Join(dir, "bin")
	program(12)
	b.reload(t)
	if out := b.pull(image); out.Reason != state.ReasonSignature || !strings.Contains(out.Message, "because") {
		t.Errorf("%s: %s", out.Reason, out.Message)
	}
	program(0)
	out := b.pull(image)
	if out.Err != nil || times() != 2 {
		t.Fatalf("%v, asked %d times", out.Err, times())
	}
	b.reload(t) // another podd
	if again := b.judge(image, out.Image.ID); again.Err != nil || times() != 2 {
		t.Errorf("%v, asked %d times", again.Err, times())
	}
	program(130)
	b.reload(t)
	if again := b.judge(image, out.Image.ID); again.Err == nil || times() != 3 {
		t.Errorf("another program: %v, asked %d times", again.Err, times())
	}
}

func TestWhatIsWanted(t *testing.T) {
	yes, no := func(string) bool { return true }, func(string) bool { return false }
	there := stub{"app": "sha256:1"}
	for name, c := range map[string]struct {
		store stub
		q     Question
		can   bool
		want  Want
	}{
		"there":                      {there, Question{Policy: corev1.PullIfNotPresent}, true, WantStart},
		"there and not judged":       {there, Question{Policy: corev1.PullIfNotPresent, Passes: no}, true, WantJudge},
		"there and judged":           {there, Question{Policy: corev1.PullIfNotPresent, Passes: yes}, true, WantStart},
		"never and not judged":       {there, Question{Policy: corev1.PullNever, Passes: no}, true, WantJudge},
		"never and missing":          {stub{}, Question{Policy: corev1.PullNever}, true, WantNothing},
		"nothing is pulled":          {stub{}, Question{Policy: corev1.PullAlways}, false, WantNothing},
		"always":                     {there, Question{Policy: corev1.PullAlways}, true, WantPull},
		"always, pulled for another": {there, Question{Policy: corev1.PullAlways, Attempt: 2, Last: &state.PullRecord{Image: "app", Done: true, For: 1}}, true, WantPull},
		"always, just pulled":        {there, Question{Policy: corev1.PullAlways, Attempt: 1, Last: &state.PullRecord{Image: "app", Done: true, For: 1}}, true, WantStart},
		"always, not judged":         {there, Question{Policy: corev1.PullAlways, Attempt: 1, Last: &state.PullRecord{Image: "app", Done: true, For: 1}, Passes: no}, true, WantJudge},
		"not for this pod":           {there, Question{Policy: corev1.PullIfNotPresent, Allowed: no}, true, WantPull},
		"pinned":                     {stub{}, Question{Policy: corev1.PullAlways, Pinned: "sha256:0"}, true, WantStart},
		"pinned and not judged":      {stub{}, Question{Policy: corev1.PullAlways, Pinned: "sha256:0", Passes: no}, true, WantJudge},
	} {
		c.q.Image = "app"
		if got := What(c.store, c.q, c.can); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// stub is a store of IDs by name.
type stub map[string]string

func (s stub) Get(ref string) (images.Image, error) {
	if id := s[ref]; id != "" {
		return images.Image{ID: id}, nil
	}
	return images.Image{}, images.ErrNotFound
}

func (s stub) Brought(string) bool { return false }

// A damaged file of an image comes again from its registry.
func TestRepairFromTheRegistry(t *testing.T) {
	b := newBoard(t)
	img := small()
	img.Compress = "gzip"
	b.reg.Add(t, "app", "v1", img)
	out := b.pull(b.host + "/app:v1")
	if out.Err != nil {
		t.Fatal(out.Err)
	}
	file := filepath.Join(out.Image.Layers[0], "hello")
	if err := os.WriteFile(file, []byte("w0rld"), 0o600); err != nil {
		t.Fatal(err)
	}
	var verdicts []images.Verified
	o := images.VerifyOptions{Repair: true, Sources: []images.LayerSource{b.puller.Layer}, Report: func(v images.Verified) { verdicts = append(verdicts, v) }}
	if err := b.store.Verify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "world" || len(verdicts) != 1 || !verdicts[0].Mended {
		t.Errorf("%q, %v, %+v", text, err, verdicts)
	}
}
