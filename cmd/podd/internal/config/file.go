package config

import (
	"errors"
	"sort"
	"strings"

	"podd/runtime/manifest/decode"
)

// decode reads the text of a configuration file over what c has, as manifests are read. A key that it does not know, one given
// twice and a value of another type are errors that name the line and the key.
func (c *Config) decode(text []byte) error {
	m, err := decode.ReadMapping(DefaultFile, text)
	if errors.Is(err, decode.ErrNoMapping) {
		return errors.New("it must consist of keys and values, such as bridge: podd0")
	}
	if err != nil {
		return err
	}
	faults, wrong, err := wrongValues(m)
	if err != nil {
		return err
	}
	wrongKeys, err := m.Decode(c, wrong...)
	if err != nil {
		return err
	}
	if faults = append(faults, wrongKeys...); len(faults) == 0 {
		return nil
	}
	sort.SliceStable(faults, func(i, j int) bool { return faults[i].Line < faults[j].Line })
	said := make([]string, len(faults))
	for i, f := range faults {
		said[i] = f.String()
	}
	return errors.New(strings.Join(said, "; "))
}
