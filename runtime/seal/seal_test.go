package seal

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	ours, theirs := Keys{Root: t.TempDir()}, Keys{Root: t.TempDir()}
	a, err := ours.Identity()
	if err != nil {
		t.Fatal(err)
	}
	b, err := theirs.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ours.Identity(); err != nil || again.String() != a.String() {
		t.Errorf("the board has another key now: %v", err)
	}
	if st, err := os.Stat(ours.File()); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", st, err)
	}
	place := Place{"default", "db", "password"}
	sealed, err := Seal(place, []byte("hunter2"), []string{a.Recipient().String(), b.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	if value, err := Open(place, sealed, b); err != nil || string(value) != "hunter2" {
		t.Errorf("opened: %q, %v", value, err)
	}
	if _, err := Open(Place{"default", "other", "password"}, sealed, a); err == nil || !strings.Contains(err.Error(), "sealed for another Secret") {
		t.Errorf("a value that was moved: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := Open(place, sealed, a); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged value: %v", err)
	}
	if sealed, err = Seal(place, nil, []string{a.Recipient().String()}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(place, sealed, b); !errors.Is(err, ErrNotOurs) {
		t.Errorf("another board's: %v", err)
	}
	if _, err := Seal(place, nil, []string{"age1nonsense"}); err == nil || !strings.Contains(err.Error(), "is no recipient") {
		t.Errorf("a bad recipient: %v", err)
	}
}
