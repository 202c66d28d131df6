package registry

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// registriesConf is a registries.conf of version 2.
// https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
type registriesConf struct {
	Search []string `toml:"unqualified-search-registries"`
	// ShortMode is of tools with a terminal to ask at: here each of the registries is asked in turn, whatever it is.
	ShortMode  string            `toml:"short-name-mode"`
	Helpers    []string          `toml:"credential-helpers"`
	Registries []registryConf    `toml:"registry"`
	Aliases    map[string]string `toml:"aliases"`
}

type registryConf struct {
	Prefix             string       `toml:"prefix"`
	Location           string       `toml:"location"`
	Insecure           bool         `toml:"insecure"`
	Blocked            bool         `toml:"blocked"`
	MirrorByDigestOnly bool         `toml:"mirror-by-digest-only"`
	Mirrors            []mirrorConf `toml:"mirror"`
}

type mirrorConf struct {
	Location       string `toml:"location"`
	Insecure       bool   `toml:"insecure"`
	PullFromMirror string `toml:"pull-from-mirror"` // all, digest-only, tag-only
}

// places are the repositories that an image may come from, as registries.conf has it: mirrors first.
func (h *Hosts) places(ref Reference) ([]place, error) {
	conf, err := readRegistriesConf(h.Registries)
	if err != nil {
		return nil, err
	}
	var list []place
	for _, name := range conf.resolveShort(ref) {
		more, err := conf.placesOf(name, ref)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// resolveShort lists the repositories that a name may mean: one without a registry has an alias, or is looked for in some.
func (c *registriesConf) resolveShort(ref Reference) []string {
	if !ref.isShort() {
		return []string{ref.Repository()}
	}
	short := strings.TrimPrefix(ref.Path, "library/")
	if full := c.Aliases[short]; full != "" {
		return []string{full}
	}
	if len(c.Search) == 0 {
		return []string{ref.Repository()}
	}
	var list []string
	for _, registry := range c.Search {
		if registry == "docker.io" {
			list = append(list, ref.Repository())
			continue
		}
		list = append(list, registry+"/"+short)
	}
	return list
}

func (c *registriesConf) placesOf(repository string, ref Reference) ([]place, error) {
	r := c.find(repository)
	if r == nil {
		return []place{{location: repository}}, nil
	}
	if r.Blocked {
		host, _, _ := strings.Cut(repository, "/")
		return nil, &Error{Hop: HopName, Host: host, Kind: ErrBlocked, Text: "registries.conf blocks " + r.Prefix, Remedy: "use another image, or remove blocked = true"}
	}
	rest := repository
	if prefix := r.Prefix; strings.HasPrefix(prefix, "*.") {
		_, rest, _ = strings.Cut(repository, "/")
		rest = "/" + rest
	} else {
		rest = strings.TrimPrefix(repository, prefix)
	}
	rewrite := func(location string) string {
		if location == "" {
			return repository
		}
		return location + rest
	}
	var list []place
	for _, m := range r.Mirrors {
		list = append(list, place{
			location: rewrite(m.Location), insecure: m.Insecure, mirror: true,
			digestsOnly: r.MirrorByDigestOnly || m.PullFromMirror == "digest-only", tagsOnly: m.PullFromMirror == "tag-only",
		})
	}
	return append(list, place{location: rewrite(r.Location), insecure: r.Insecure}), nil
}

// find gives the table with the longest prefix that fits.
func (c *registriesConf) find(repository string) *registryConf {
	var best *registryConf
	length := -1
	for i := range c.Registries {
		r := &c.Registries[i]
		if matchesPrefix(repository, r.Prefix) && len(r.Prefix) > length {
			best, length = r, len(r.Prefix)
		}
	}
	return best
}

// matchesPrefix: *.example.com stands for all hosts below example.com, at whatever port.
func matchesPrefix(repository, prefix string) bool {
	if wild, ok := strings.CutPrefix(prefix, "*"); ok {
		host, _, _ := strings.Cut(repository, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		return strings.HasSuffix(host, wild)
	}
	rest, ok := strings.CutPrefix(repository, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// readRegistriesConf reads the file and the folder beside it, whose files come later and win.
func readRegistriesConf(path string) (*registriesConf, error) {
	all := &registriesConf{Aliases: map[string]string{}}
	if path == "" {
		return all, nil
	}
	files := []string{path}
	entries, err := os.ReadDir(path + ".d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the configuration of registries: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".conf" {
			files = append(files, filepath.Join(path+".d", e.Name()))
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the configuration of registries: %w", err)
		}
		if err := all.merge(data, file); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const noScheme = "%s: %q cannot be used: write it without http:// and https://, and insecure = true for the former"

func (c *registriesConf) merge(data []byte, file string) error {
	var one registriesConf
	meta, err := toml.Decode(string(data), &one)
	if err != nil {
		return fmt.Errorf("%s is no valid TOML: %w", file, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		if unknown[0][0] == "registries" {
			return fmt.Errorf("%s is of the old version 1: write [[registry]] tables", file)
		}
		return fmt.Errorf("%s: the key %s is unknown: remove it", file, unknown[0])
	}
	for i := range one.Registries {
		r := one.Registries[i]
		r.Location = strings.TrimRight(r.Location, "/")
		r.Prefix = cmp.Or(strings.TrimRight(r.Prefix, "/"), r.Location)
		prefix := r.Prefix
		switch wild := strings.TrimPrefix(prefix, "*."); {
		case prefix == "":
			return fmt.Errorf("%s: a [[registry]] has neither prefix nor location", file)
		case strings.Contains(wild, "*"), wild != prefix && strings.ContainsAny(wild, "/:"):
			return fmt.Errorf("%s: the prefix %s cannot be used: a * stands before the name of a host alone, as in *.example.com", file, clip(prefix, 200))
		}
		for j := range r.Mirrors {
			m := &r.Mirrors[j]
			if m.Location = strings.TrimRight(m.Location, "/"); m.Location == "" {
				return fmt.Errorf("%s: a mirror of %s has no location", file, prefix)
			}
			if strings.Contains(m.Location, "://") {
				return fmt.Errorf(noScheme, file, clip(m.Location, 200))
			}
			if !slices.Contains([]string{"", "all", "digest-only", "tag-only"}, m.PullFromMirror) {
				return fmt.Errorf("%s: pull-from-mirror of %s must be all, digest-only or tag-only, not %q", file, m.Location, clip(m.PullFromMirror, 50))
			}
		}
		for _, place := range []string{r.Location, prefix} {
			if strings.Contains(place, "://") {
				return fmt.Errorf(noScheme, file, clip(place, 200))
			}
		}
		c.Registries = append(slices.DeleteFunc(c.Registries, func(have registryConf) bool { return have.Prefix == prefix }), r)
	}
	if len(one.Search) > 0 {
		c.Search = one.Search
	}
	if len(one.Helpers) > 0 {
		c.Helpers = one.Helpers
	}
	for short, full := range one.Aliases {
		if full == "" { // takes back what an earlier file says
			delete(c.Aliases, short)
			continue
		}
		if name, ok := strings.CutPrefix(full, "docker.io/"); ok && !strings.Contains(name, "/") {
			full = "docker.io/library/" + name
		}
		if !strings.Contains(full, "/") {
			return fmt.Errorf("%s: the alias of %s must be a whole name such as registry.example.com/%s", file, short, short)
		}
		c.Aliases[short] = full
	}
	return nil
}
