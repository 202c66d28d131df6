package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Policy says which images may run. Its zero value lets none.
type Policy struct {
	fallback   []requirement
	transports map[string]map[string][]requirement
}

// The kinds of a requirement (containers-policy.json(5), "Policy Requirements").
const (
	acceptAnything = "insecureAcceptAnything"
	reject         = "reject"
	signedBy       = "signedBy"
	sigstoreSigned = "sigstoreSigned"
)

// requirement is one that an image has to fulfil.
type requirement struct {
	kind     string
	keys     []key
	identity identity
}

// ParsePolicy reads a policy. It is as strict as containers': what it does not know makes all of it invalid. read gives
// the files of keys that it names.
func ParsePolicy(data []byte, read func(path string) ([]byte, error)) (*Policy, error) {
	var doc struct {
		Default    []json.RawMessage                       `json:"default"`
		Transports map[string]map[string][]json.RawMessage `json:"transports"`
	}
	if err := strict(data, &doc); err != nil {
		return nil, err
	}
	p := &Policy{transports: map[string]map[string][]requirement{}}
	var err error
	if p.fallback, err = parseRequirements("default", doc.Default, read); err != nil {
		return nil, err
	}
	for _, transport := range slices.Sorted(maps.Keys(doc.Transports)) {
		scopes := map[string][]requirement{}
		for _, scope := range slices.Sorted(maps.Keys(doc.Transports[transport])) {
			at := fmt.Sprintf("transports[%q][%q]", transport, scope)
			if transport == dockerTransport {
				if err := checkScope(scope); err != nil {
					return nil, fmt.Errorf("%s: %w", at, err)
				}
			}
			if scopes[scope], err = parseRequirements(at, doc.Transports[transport][scope], read); err != nil {
				return nil, err
			}
		}
		p.transports[transport] = scopes
	}
	return p, nil
}

func parseRequirements(at string, list []json.RawMessage, read func(string) ([]byte, error)) ([]requirement, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: it must have at least one requirement, such as {\"type\": \"reject\"}", at)
	}
	out := make([]requirement, len(list))
	for i, raw := range list {
		var err error
		if out[i], err = parseRequirement(raw, read); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", at, i, err)
		}
	}
	return out, nil
}

func parseRequirement(raw json.RawMessage, read func(string) ([]byte, error)) (requirement, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return requirement{}, fmt.Errorf("it is no requirement: %w", err)
	}
	switch head.Type {
	case acceptAnything, reject:
		return requirement{kind: head.Type}, strict(raw, &head)
	case signedBy:
		return requirement{}, errors.New(`type "signedBy" needs OpenPGP, which podd does not have: sign with cosign and use "sigstoreSigned"`)
	case sigstoreSigned:
		return parseSigstoreSigned(raw, read)
	}
	return requirement{}, fmt.Errorf("type %q is not known: use %s, %s or %s", head.Type, acceptAnything, reject, sigstoreSigned)
}

func parseSigstoreSigned(raw json.RawMessage, read func(string) ([]byte, error)) (requirement, error) {
	var doc struct {
		Type           string          `json:"type"`
		KeyPath        string          `json:"keyPath"`
		KeyPaths       []string        `json:"keyPaths"`
		KeyData        []byte          `json:"keyData"`
		KeyDatas       [][]byte        `json:"keyDatas"`
		SignedIdentity json.RawMessage `json:"signedIdentity"`

		Fulcio              json.RawMessage `json:"fulcio"`
		PKI                 json.RawMessage `json:"pki"`
		RekorPublicKeyPath  string          `json:"rekorPublicKeyPath"`
		RekorPublicKeyPaths []string        `json:"rekorPublicKeyPaths"`
		RekorPublicKeyData  []byte          `json:"rekorPublicKeyData"`
		RekorPublicKeyDatas [][]byte        `json:"rekorPublicKeyDatas"`
	}
	if err := strict(raw, &doc); err != nil {
		return requirement{}, err
	}
	for name, set := range map[string]bool{
		"fulcio": doc.Fulcio != nil, "pki": doc.PKI != nil, "rekorPublicKeyPath": doc.RekorPublicKeyPath != "", "rekorPublicKeyPaths": doc.RekorPublicKeyPaths != nil,
		"rekorPublicKeyData": doc.RekorPublicKeyData != nil, "rekorPublicKeyDatas": doc.RekorPublicKeyDatas != nil,
	} {
		if set {
			return requirement{}, fmt.Errorf("%s: podd verifies signatures by a key alone: remove it, or use a verifier program", name)
		}
	}
	given := 0
	for _, set := range []bool{doc.KeyPath != "", doc.KeyPaths != nil, doc.KeyData != nil, doc.KeyDatas != nil} {
		if set {
			given++
		}
	}
	if given != 1 {
		return requirement{}, errors.New("exactly one of keyPath, keyPaths, keyData and keyDatas must be given")
	}
	r := requirement{kind: sigstoreSigned}
	paths := doc.KeyPaths
	if doc.KeyPath != "" {
		paths = []string{doc.KeyPath}
	}
	for _, path := range paths {
		data, err := read(path)
		if err != nil {
			return requirement{}, fmt.Errorf("cannot read the key: %w", err)
		}
		k, err := parseKey(data, path)
		if err != nil {
			return requirement{}, fmt.Errorf("key %s: %w", path, err)
		}
		r.keys = append(r.keys, k)
	}
	datas := doc.KeyDatas
	if doc.KeyData != nil {
		datas = [][]byte{doc.KeyData}
	}
	for _, data := range datas {
		k, err := parseKey(data, "")
		if err != nil {
			return requirement{}, fmt.Errorf("keyData: %w", err)
		}
		r.keys = append(r.keys, k)
	}
	if len(r.keys) == 0 {
		return requirement{}, errors.New("it names no key")
	}
	var err error
	r.identity, err = parseIdentity(doc.SignedIdentity)
	return r, err
}

// strict decodes one JSON value whose keys are all known, written as they are known, and none doubled.
func strict(data []byte, into any) error {
	if err := exact(data, into); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("it is not valid: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// exact refuses an object that has a key twice, or one that is a key of into but for its case: encoding/json takes either, and
// the last counts.
func exact(data []byte, into any) error {
	return exactValue(json.NewDecoder(bytes.NewReader(data)), reflect.TypeOf(into))
}

// exactValue reads one value. of is what it is decoded into; nil: nothing that is known.
func exactValue(dec *json.Decoder, of reflect.Type) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("it is no valid JSON: %w", err)
	}
	delim, open := token.(json.Delim)
	if !open {
		return nil
	}
	for of != nil && of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	seen := map[string]bool{}
	for dec.More() {
		inner := element(of)
		if delim == '{' {
			token, err := dec.Token()
			if err != nil {
				return fmt.Errorf("it is no valid JSON: %w", err)
			}
			name := token.(string) // of an object the decoder takes nothing else
			if seen[name] {
				return fmt.Errorf("key %q is there twice", name)
			}
			seen[name] = true
			if of != nil && of.Kind() == reflect.Struct {
				if inner, err = field(of, name); err != nil {
					return err
				}
			}
		}
		if err := exactValue(dec, inner); err != nil {
			return err
		}
	}
	if _, err = dec.Token(); err != nil {
		return fmt.Errorf("it is no valid JSON: %w", err)
	}
	return nil
}

// element is the type of what is in a list or a map.
func element(of reflect.Type) reflect.Type {
	if of == nil || of.Kind() != reflect.Map && of.Kind() != reflect.Slice {
		return nil
	}
	return of.Elem()
}

// field is the type of what a key of an object stands for; nil: it is unknown.
func field(of reflect.Type, name string) (reflect.Type, error) {
	for i := range of.NumField() {
		known, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		switch {
		case known == name:
			return of.Field(i).Type, nil
		case strings.EqualFold(known, name):
			return nil, fmt.Errorf("key %q must be written %q", name, known)
		}
	}
	return nil, nil
}
