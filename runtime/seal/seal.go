// Package seal encrypts the values of Secrets to boards, with age (https://age-encryption.org/v1), and opens them.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Form is the value of the annotation of a sealed Secret.
const Form = "age"

// ErrNotOurs says that a value was sealed for other boards.
var ErrNotOurs = errors.New("it is sealed for other boards")

// Place is where a value belongs. It is sealed with the value: a value that was moved to another Secret does not open.
type Place struct{ Namespace, Name, Key string }

func (p Place) String() string { return p.Namespace + "/" + p.Name + "/" + p.Key }

// header stands before each value: what it is, and its place.
func (p Place) header() string { return "podd.dev/sealed\n" + p.String() + "\n" }

// Seal encrypts a value to the boards with these recipients ("age1...").
func Seal(place Place, value []byte, recipients []string) ([]byte, error) {
	to := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		r, err := age.ParseX25519Recipient(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is no recipient; podd seal --print-recipient prints a board's: %w", text, err)
		}
		to[i] = r
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("cannot seal %s: %w", place, err)
	}
	_, err = io.WriteString(w, place.header())
	if err == nil {
		_, err = w.Write(value)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot seal %s: %w", place, err)
	}
	return out.Bytes(), nil
}

// Open decrypts a value that is at place.
func Open(place Place, sealed []byte, identity *age.X25519Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrNotOurs
	}
	if err != nil {
		return nil, fmt.Errorf("its key %s is not a sealed value, or was damaged: %w", place.Key, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("its key %s was damaged: %w", place.Key, err)
	}
	value, ok := bytes.CutPrefix(text, []byte(place.header()))
	if !ok {
		return nil, fmt.Errorf("its key %s was sealed for another Secret or key: seal it again as %s", place.Key, place)
	}
	return value, nil
}
