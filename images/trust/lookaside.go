package trust

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"podd/images/reference"
)

// Lookasides says where signatures are kept beside a registry (containers-registries.d(5)).
type Lookasides struct {
	fallback section
	scopes   map[string]section
}

type section struct {
	Lookaside        string `json:"lookaside"`
	Sigstore         string `json:"sigstore"` // its name before
	LookasideStaging string `json:"lookaside-staging"`
	SigstoreStaging  string `json:"sigstore-staging"`
	// podd looks for attachments always.
	UseAttachments *bool `json:"use-sigstore-attachments"`
}

// ParseLookasides merges the files of a registries.d, by name, as JSON.
func ParseLookasides(files map[string][]byte) (*Lookasides, error) {
	l := &Lookasides{scopes: map[string]section{}}
	defaultIn, seenIn := "", map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var doc struct {
			Default *section           `json:"default-docker"`
			Docker  map[string]section `json:"docker"`
		}
		if err := strict(files[name], &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if doc.Default != nil {
			if defaultIn != "" {
				return nil, fmt.Errorf("default-docker is in %s and in %s: keep one", defaultIn, name)
			}
			l.fallback, defaultIn = *doc.Default, name
			if err := l.fallback.check(); err != nil {
				return nil, fmt.Errorf("%s: default-docker: %w", name, err)
			}
		}
		for _, scope := range slices.Sorted(maps.Keys(doc.Docker)) {
			if seenIn[scope] != "" {
				return nil, fmt.Errorf("docker.%s is in %s and in %s: keep one", scope, seenIn[scope], name)
			}
			s := doc.Docker[scope]
			if err := s.check(); err != nil {
				return nil, fmt.Errorf("%s: docker.%s: %w", name, scope, err)
			}
			l.scopes[scope], seenIn[scope] = s, name
		}
	}
	return l, nil
}

func (s section) check() error {
	for _, address := range []string{s.Lookaside, s.Sigstore} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" {
			return fmt.Errorf("the store %q is neither http, https nor file", clip(address))
		}
	}
	return nil
}

// Of is the address of the store for an image; "": there is none.
func (l *Lookasides) Of(name reference.Reference) string {
	if l == nil {
		return ""
	}
	s := l.fallback
	for _, scope := range scopesOf(name) {
		if strings.HasPrefix(scope, "*.") || scope == "" { // no wildcards here
			continue
		}
		if have, ok := l.scopes[scope]; ok {
			s = have
			break
		}
	}
	if s.Lookaside != "" {
		return s.Lookaside
	}
	return s.Sigstore
}
