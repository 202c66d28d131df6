package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	return Keep(k.publicFile(), []byte(recipient+"\n"))
}

func (k Keys) forgetPublished() error {
	if err := os.Remove(k.publicFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget the board's recipient: %w", err)
	}
	return nil
}
