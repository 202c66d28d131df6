package imagepull

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"podd/images/registry"
	"podd/internal/atomicfile"
)

// Verification is the kubelet's imagePullCredentialsVerificationPolicy, with its list. KEP-2535
type Verification struct {
	Policy string   // "" is NeverVerifyPreloadedImages
	Allow  []string // of NeverVerifyAllowlistedImages: repositories, or beginnings of them that end with /*
}

// The policies.
const (
	NeverVerify                 = "NeverVerify"
	NeverVerifyPreloadedImages  = "NeverVerifyPreloadedImages"
	NeverVerifyAllowlistedImage = "NeverVerifyAllowlistedImages"
	AlwaysVerify                = "AlwaysVerify"
)

// Policies lists them.
func Policies() []string {
	return []string{NeverVerify, NeverVerifyPreloadedImages, NeverVerifyAllowlistedImage, AlwaysVerify}
}

// requires says whether a pod has to have credentials for an image of a repository. pulled: podd has pulled it.
func (v Verification) requires(repository string, pulled bool) bool {
	switch v.Policy {
	case NeverVerify:
		return false
	case NeverVerifyAllowlistedImage:
		return !slices.ContainsFunc(v.Allow, func(pattern string) bool {
			if prefix, ok := strings.CutSuffix(pattern, "/*"); ok {
				return strings.HasPrefix(repository, prefix+"/")
			}
			return repository == pattern
		})
	case AlwaysVerify:
		return true
	}
	return pulled
}

// Records says with which credentials images were pulled: who has none of these does not get them from the board either. They
// are on disk, as the images are. Several goroutines may use them.
type Records struct {
	File    string
	Damaged atomicfile.Report
	// Exists says of an image's ID that the store has it: records of others are dropped in time.
	Exists func(id string) bool

	mu   sync.Mutex
	read bool
	all  map[string]map[string]access // by the image's ID and its repository
}

// access is whom a registry has given an image to.
type access struct {
	Node    bool        `json:"nodePodsAccessible,omitempty"` // everybody on the board
	Public  bool        `json:"public,omitempty"`             // everybody: the registry has not asked who it is
	Secrets []secretUse `json:"kubernetesSecrets,omitempty"`
}

type secretUse struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	Hash      string `json:"credentialHash"`
}

// Add records that an image was given for a credential; the empty one: to everybody on the board. public: the registry gives
// it to everybody.
func (r *Records) Add(id, repository string, used registry.Credential, public bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.load()
	a := r.all[id][repository]
	switch {
	case a.Node && a.Public == (a.Public || public):
		return nil
	case a.Node || used.Secret.Name == "":
		a = access{Node: true, Public: public}
	default:
		use := secretUse{used.Secret.Namespace, used.Secret.Name, used.Secret.UID, used.Hash()}
		if slices.Contains(a.Secrets, use) {
			return nil
		}
		a.Secrets = append(slices.DeleteFunc(slices.Clone(a.Secrets), func(s secretUse) bool {
			return s.Namespace == use.Namespace && s.Name == use.Name
		}), use)
	}
	if r.all[id] == nil {
		r.all[id] = map[string]access{}
	}
	r.all[id][repository] = a
	for other := range r.all {
		if other != id && r.Exists != nil && !r.Exists(other) {
			delete(r.all, other)
		}
	}
	return r.write()
}

func (r *Records) write() error {
	data, err := json.Marshal(r.all)
	if err == nil {
		err = atomicfile.WriteSync(r.File, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot record who may use the image: %w", err)
	}
	return nil
}

// load reads the file once. Without it images count as preloaded.
func (r *Records) load() {
	if r.read {
		return
	}
	r.read, r.all = true, map[string]map[string]access{}
	err := atomicfile.LoadJSON(r.File, &r.all, nil)
	var damage *atomicfile.Damage
	if errors.As(err, &damage) && r.Damaged != nil {
		r.Damaged(damage, "images that were pulled with a Secret are pulled again for whoever uses them")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) || r.all == nil {
		r.all = map[string]map[string]access{}
	}
}

// Public says whether other machines may have an image by the name of a repository: it was given to this one without asking who
// that is, or an archive has brought it and Verification wants no credentials for such. pulled: it came from a registry, and
// what is not known of it is not good.
func (r *Records) Public(v Verification, id, repository string, pulled bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.load()
	record, known := r.all[id]
	if !known {
		return !pulled && !v.requires(repository, false)
	}
	if a, ok := record[repository]; ok {
		return a.Public
	}
	for _, a := range record { // the name was given here
		if a.Public {
			return true
		}
	}
	return false
}

// Allows says whether a pod with these credentials may use an image that is there.
func (r *Records) Allows(v Verification, id, repository string, keys []registry.Credential) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.load()
	record, pulled := r.all[id]
	if !v.requires(repository, pulled) {
		return true
	}
	a := record[repository]
	if a.Node {
		return true
	}
	for _, k := range keys {
		for _, s := range a.Secrets {
			same := s.Namespace == k.Secret.Namespace && s.Name == k.Secret.Name && s.UID == k.Secret.UID
			if k.Secret.Name != "" && (same || s.Hash == k.Hash()) {
				return true
			}
		}
	}
	return false
}
