package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"podd/internal/atomicfile"
)

// maxKey is more than a key has, in bytes.
const maxKey = 4 << 10

// Credential is the name of the service manager's credential that holds a board's identity (man 5 systemd.exec).
const Credential = "podd.seal-key"

// ErrAway says that the board's identity is in a credential that this process was not given.
var ErrAway = errors.New("the board's key is in the credential " + Credential + ", which podd was not given")

// Keys are the places where a board's identity may be.
type Keys struct {
	Root        string // of podd
	Credentials string // folder of the service manager's credentials; "": there is none
}

// Of gives the places that this process has.
func Of(root string) Keys { return Keys{Root: root, Credentials: os.Getenv("CREDENTIALS_DIRECTORY")} }

// File is where the identity is when it is not in a credential.
func (k Keys) File() string { return filepath.Join(k.Root, "keys", "seal.age") }

// publicFile names the recipient of an identity that is in a credential, for those who are not given it.
func (k Keys) publicFile() string { return filepath.Join(k.Root, "keys", "seal.recipient") }

// Identity reads the identity of the board: the credential, or else the file, which is made the first time, on flash,
// committed, and readable by root alone.
func (k Keys) Identity() (*age.X25519Identity, error) {
	id, err := k.given()
	if id != nil || err != nil {
		return id, err
	}
	if id, err = readIdentity(k.File()); id != nil || err != nil {
		return id, err
	}
	if public, err := k.published(); public != "" || err != nil {
		return nil, errors.Join(err, fmt.Errorf("%w: it is the one of %s", ErrAway, public))
	}
	if id, err = age.GenerateX25519Identity(); err != nil {
		return nil, fmt.Errorf("cannot make the board's key: %w", err)
	}
	switch err := atomicfile.Create(k.File(), []byte(id.String()+"\n")); {
	case errors.Is(err, fs.ErrExist):
		return k.Identity() // another podd was faster
	case err != nil:
		return nil, fmt.Errorf("cannot keep the board's key: %w", err)
	}
	return id, nil
}

// Recipient is what Secrets are sealed to for this board. A key that is not there yet is made.
func (k Keys) Recipient() (string, error) {
	id, err := k.Identity()
	if errors.Is(err, ErrAway) {
		return k.published()
	}
	if err != nil {
		return "", err
	}
	return id.Recipient().String(), nil
}

// given reads the identity that the service manager has passed; nil: none.
func (k Keys) given() (*age.X25519Identity, error) {
	if k.Credentials == "" {
		return nil, nil
	}
	return readIdentity(filepath.Join(k.Credentials, Credential))
}

// readIdentity reads a file; nil: it is not there.
func readIdentity(path string) (*age.X25519Identity, error) {
	data, err := atomicfile.Read(path, maxKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the board's key: %w", err)
	}
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("cannot use the board's key %s: %w", path, err)
	}
	return id, nil
}

// published is the recipient of an identity in a credential, as the daemon has noted it; "": there is none.
func (k Keys) published() (string, error) {
	data, err := atomicfile.Read(k.publicFile(), maxKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the board's recipient: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
