package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/quick"

	"filippo.io/age"
)

// newIdentity is a key of nobody's board.
func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// What was sealed opens where it belongs, whatever it is, for each of those that it is sealed for, and twice sealed is not twice
// the same.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	a, b := newIdentity(t), newIdentity(t)
	to := []string{a.Recipient().String(), " " + b.Recipient().String() + "\n"}
	if err := quick.Check(func(namespace, name, key string, value []byte) bool {
		place := Place{namespace, name, key}
		sealed, err := Seal(place, value, to)
		again, err2 := Seal(place, value, to)
		if err != nil || err2 != nil || bytes.Equal(sealed, again) || len(value) > 8 && bytes.Contains(sealed, value) {
			return false
		}
		for _, id := range []*age.X25519Identity{a, b} {
			if got, err := Open(place, sealed, id); err != nil || !bytes.Equal(got, value) {
				return false
			}
		}
		_, err = Open(Place{namespace, name, key + "x"}, sealed, a)
		return err != nil && !errors.Is(err, ErrNotOurs)
	}, &quick.Config{MaxCount: 40, Rand: rand.New(rand.NewSource(4))}); err != nil {
		t.Error(err)
	}
}

// No byte of a sealed value can be another, and none can be missing.
func TestDamage(t *testing.T) {
	t.Parallel()
	id, place := newIdentity(t), Place{"default", "db", "password"}
	sealed, err := Seal(place, []byte("hunter2"), []string{id.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x20
		if value, err := Open(place, bad, id); err == nil || value != nil {
			t.Errorf("byte %d of %d is another: %q", i, len(sealed), value)
		}
		if value, err := Open(place, sealed[:i], id); err == nil || value != nil {
			t.Errorf("%d bytes of %d: %q", i, len(sealed), value)
		}
	}
	for _, text := range []string{"", "hunter2", "age-encryption.org/v1\n"} {
		if _, err := Open(place, []byte(text), id); err == nil || !strings.HasPrefix(err.Error(), "its key password is not a sealed value, or was damaged: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whoever seals must name somebody who can open.
func TestRecipients(t *testing.T) {
	t.Parallel()
	place := Place{"default", "db", "password"}
	if place.String() != "default/db/password" {
		t.Error(place)
	}
	if _, err := Seal(place, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "cannot seal default/db/password: ") {
		t.Errorf("for nobody: %v", err)
	}
	good := newIdentity(t)
	for _, text := range []string{"", "age1", good.String(), good.Recipient().String() + "x"} {
		want := fmt.Sprintf("%q is no recipient; podd seal --print-recipient prints a board's: ", text)
		if _, err := Seal(place, nil, []string{good.Recipient().String(), text}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Of many that ask for the key of a new board at the same time, all get one and the same.
func TestIdentityRace(t *testing.T) {
	t.Parallel()
	k := Keys{Root: t.TempDir()}
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			if id, err := k.Identity(); err == nil {
				got[i] = id.String()
			}
		})
	}
	all.Wait()
	for i := range got {
		if got[i] == "" || got[i] != got[0] {
			t.Errorf("the key of %d is another", i)
		}
	}
	if files, err := os.ReadDir(filepath.Dir(k.File())); err != nil || len(files) != 1 {
		t.Errorf("%v, %v are left", files, err)
	}
}

// A key that cannot be read or used is said to be so, and none is made in its place.
func TestIdentityFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":     {"", "cannot use the board's key "},
		"nonsense":    {"nonsense\n", "cannot use the board's key "},
		"a recipient": {newIdentity(t).Recipient().String(), "cannot use the board's key "},
		"too much":    {strings.Repeat("x", maxKey+1), "cannot read the board's key: "},
	} {
		k := Keys{Root: t.TempDir()}
		if err := os.MkdirAll(filepath.Dir(k.File()), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(k.File(), []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := k.Identity(); id != nil || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
		if to, err := k.Recipient(); to != "" || err == nil {
			t.Errorf("%s: %s, %v", name, to, err)
		}
		if source, _, err := k.Source(); source != "" || err == nil {
			t.Errorf("%s: %s, %v", name, source, err)
		}
		if data, err := os.ReadFile(k.File()); err != nil || string(data) != tc.text {
			t.Errorf("%s: the file was written", name)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := (Keys{Root: file}).Identity(); id != nil || err == nil {
		t.Errorf("a root that is a file: %v, %v", id, err)
	}
}

// The places that a process has are its root and, where the service manager gives it some, its credentials.
func TestOf(t *testing.T) {
	for _, folder := range []string{"", "/run/credentials/podd.service"} {
		t.Setenv("CREDENTIALS_DIRECTORY", folder)
		if got := Of("/var/lib/podd"); got != (Keys{Root: "/var/lib/podd", Credentials: folder}) || got.File() != "/var/lib/podd/keys/seal.age" {
			t.Errorf("%+v, %s", got, got.File())
		}
	}
}
