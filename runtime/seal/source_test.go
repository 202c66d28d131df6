package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The key of a board moves into a credential, and podd seal, which is not given it, goes on sealing to it.
func TestCredential(t *testing.T) {
	file := Keys{Root: t.TempDir()}
	if source, problem, err := file.Source(); source != "" || problem != "" || err != nil {
		t.Errorf("a board without a key: %q %q %v", source, problem, err)
	}
	id, err := file.Identity()
	if err != nil {
		t.Fatal(err)
	}
	given := Keys{Root: file.Root, Credentials: t.TempDir()}
	says := func(k Keys, source, problem string) {
		t.Helper()
		gotSource, gotProblem, err := k.Source()
		if err != nil || gotSource != source || !strings.Contains(gotProblem, problem) || problem == "" && gotProblem != "" {
			t.Errorf("got %q, %q, %v; want %q, %q", gotSource, gotProblem, err, source, problem)
		}
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(given.Credentials, Credential), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	says(given, file.File(), "")
	put(id.String() + "\n")
	says(given, "credential podd.seal-key", "and in the clear in "+file.File()+": remove the file")
	if err := os.Remove(file.File()); err != nil {
		t.Fatal(err)
	}
	says(given, "credential podd.seal-key", "")
	if got, err := given.Identity(); err != nil || got.String() != id.String() {
		t.Errorf("given: %v", err)
	}
	if got, err := file.Recipient(); err != nil || got != id.Recipient().String() {
		t.Errorf("the recipient of one who is not given the key: %s, %v", got, err)
	}
	if _, err := file.Identity(); !errors.Is(err, ErrAway) {
		t.Errorf("the key of one who is not given it: %v", err)
	}
	says(file, "", "which podd was not given: Secrets that are sealed for "+id.Recipient().String()+" do not open")
	if _, err := os.Stat(file.File()); err == nil {
		t.Error("another key was made")
	}

	other := Keys{Root: t.TempDir(), Credentials: given.Credentials}
	if _, err := (Keys{Root: other.Root}).Identity(); err != nil {
		t.Fatal(err)
	}
	says(other, "credential podd.seal-key", "hold different keys: that of the credential counts, "+id.Recipient().String()+"; remove the file, or the credential")
	if got, err := other.Identity(); err != nil || got.String() != id.String() {
		t.Errorf("of two keys: %v", err)
	}
	if err := os.Remove(filepath.Join(given.Credentials, Credential)); err != nil {
		t.Fatal(err)
	}
	put("nonsense")
	if _, _, err := other.Source(); err == nil || !strings.Contains(err.Error(), "cannot use the board's key "+given.Credentials) {
		t.Errorf("nonsense: %v", err)
	}
}
