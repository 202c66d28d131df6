package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"

	"podd/internal/atomicfile"
)

// Source says where the board's key is; "": there is none yet. A problem is a sentence about what is to be done, which keeps
// nothing from working that can work. The recipient of a key in a credential is noted below --root, for podd seal.
func (k Keys) Source() (source, problem string, err error) {
	id, err := k.given()
	if err != nil {
		return "", "", err
	}
	file, err := readIdentity(k.File())
	switch {
	case err != nil && id == nil:
		return "", "", err
	case id == nil && file == nil:
		public, err := k.published()
		if public != "" {
			problem = fmt.Sprintf("%v: Secrets that are sealed for %s do not open", ErrAway, public)
		}
		return "", problem, err
	case id == nil:
		return k.File(), "", k.forgetPublished()
	case err != nil || file != nil && file.String() != id.String():
		problem = fmt.Sprintf("the credential %s and the file %s hold different keys: that of the credential counts, %s; remove the file, or the credential",
			Credential, k.File(), id.Recipient())
	case file != nil:
		problem = fmt.Sprintf("the board's key is in the credential %s, and in the clear in %s: remove the file", Credential, k.File())
	}
	return "credential " + Credential, problem, k.publish(id.Recipient().String())
}

// publish notes a recipient on flash, if it is not there already.
func (k Keys) publish(recipient string) error {
	if public, err := k.published(); err != nil || public == recipient {
		return err
	}
	if err := k.forgetPublished(); err != nil {
		return err
	}
	if err := atomicfile.Create(k.publicFile(), []byte(recipient+"\n")); err != nil {
		return fmt.Errorf("cannot note the board's recipient: %w", err)
	}
	return nil
}

func (k Keys) forgetPublished() error {
	if err := os.Remove(k.publicFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget the board's recipient: %w", err)
	}
	return nil
}

// SetAsideDamaged looks at what the daemon keeps of keys, and sets aside what is none.
func (k Keys) SetAsideDamaged(report atomicfile.Report) {
	for path, lost := range map[string]string{
		k.File():       "Secrets that were sealed for this board do not open until the key is put back from a backup; a new one is made when it is needed",
		k.publicFile(): "it is noted again from the credential " + Credential,
	} {
		report.Of(atomicfile.Load(path, maxKey, func(data []byte) error {
			text := strings.TrimSpace(string(data))
			_, err := age.ParseX25519Identity(text)
			if path == k.publicFile() {
				_, err = age.ParseX25519Recipient(text)
			}
			return err
		}), lost)
	}
}
