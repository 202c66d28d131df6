package imagepull

import (
	"os"
	"path/filepath"
	"testing"

	"podd/images/registry"
)

// Other machines get what a registry gives to everybody, and nothing that is not known to be so.
func TestPublicRecords(t *testing.T) {
	secret := registry.Credential{Username: "board", Password: "x", Secret: registry.SecretRef{Namespace: "default", Name: "regcred"}}
	node := registry.Credential{Username: "board", Password: "x"}
	file := filepath.Join(t.TempDir(), "imagepulls.json")
	if err := os.WriteFile(file, []byte(`{"old":{"example.com/old":{"nodePodsAccessible":true}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Records{File: file}
	add := func(id, repository string, used registry.Credential, public bool) {
		t.Helper()
		if err := r.Add(id, repository, used, public); err != nil {
			t.Fatal(err)
		}
	}
	add("open", "example.com/open", registry.Credential{}, true)
	add("secret", "example.com/secret", secret, false)
	add("node", "example.com/node", node, false)
	add("both", "example.com/a", secret, false)
	add("both", "example.com/b", registry.Credential{}, true)
	add("opened", "example.com/opened", node, false)
	add("opened", "example.com/opened", registry.Credential{}, true)
	for range 2 { // as it is in memory, and as it is on disk
		for _, test := range []struct {
			id, repository string
			pulled, want   bool
		}{
			{"open", "example.com/open", true, true},
			{"open", "example.com/tagged-here", true, true},
			{"open", "", true, true},
			{"secret", "example.com/secret", true, false},
			{"secret", "example.com/secret", false, false}, // an archive has brought it since
			{"secret", "example.com/tagged-here", true, false},
			{"node", "example.com/node", true, false},
			{"both", "example.com/a", true, false},
			{"both", "example.com/b", true, true},
			{"opened", "example.com/opened", true, true},
			{"old", "example.com/old", true, false}, // nobody has noted it then
			{"loaded", "example.com/loaded", false, true},
			{"lost", "example.com/lost", true, false}, // its record is lost
		} {
			if got := r.Public(Verification{}, test.id, test.repository, test.pulled); got != test.want {
				t.Errorf("%s as %s (pulled %v): %v", test.id, test.repository, test.pulled, got)
			}
		}
		r = &Records{File: file}
	}
	if r.Public(Verification{Policy: AlwaysVerify}, "loaded", "example.com/loaded", false) {
		t.Error("an image that needs credentials here is given to others without")
	}
	if !r.Allows(Verification{}, "opened", "example.com/opened", nil) || r.Allows(Verification{}, "secret", "example.com/secret", nil) {
		t.Error("the board's own pods are judged otherwise than before")
	}
}
