package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"podd/internal/atomicfile"
	"podd/internal/hostfile"
)

// Source is where the configuration comes from, as often as it is asked: a file, and the flags that were given,
// which win over it.
type Source struct {
	file  string
	named bool // by --config: it must be there
	flags map[string]string
	guard hostfile.Guard // of a file system that never answers
}

// NewSource remembers the flags that were given, paths as they are meant now: podd is to leave the folder that
// it was started in.
func NewSource(flags *pflag.FlagSet) (*Source, error) {
	s := &Source{file: DefaultFile, flags: map[string]string{}, guard: hostfile.Guard{Patience: configPatience, Most: 1}}
	var failed error
	known := pflag.NewFlagSet("run", pflag.ContinueOnError)
	(&Config{}).AddFlags(known)
	flags.Visit(func(f *pflag.Flag) {
		if known.Lookup(f.Name) == nil {
			return // a command's own
		}
		value := f.Value.String()
		switch f.Name {
		case "manifests", "images", "root", "run-dir", "socket", "log-dir", "config":
			var err error
			if value, err = filepath.Abs(value); err != nil {
				failed = fmt.Errorf("cannot make --%s absolute: %w", f.Name, err)
			}
		}
		s.flags[f.Name] = value
	})
	if file, ok := s.flags["config"]; ok {
		s.file, s.named = file, true
	}
	return s, failed
}

const (
	// maxConfig is more, in bytes, than any configuration has.
	maxConfig = 1 << 20
	// configPatience is how long the file may take to answer: signals wait behind a reload.
	configPatience = 4 * time.Second
)

// Read makes a configuration of the file as it is now. A file that is not there is one without keys, unless it was asked for.
func (s *Source) Read() (c Config, text []byte, err error) {
	type answer struct {
		text []byte
		err  error
	}
	a, err := hostfile.Do(&s.guard, s.file, func() (a answer) {
		a.text, a.err = hostfile.Read(s.file, maxConfig)
		return a
	})
	if text, err = a.text, cmp.Or(err, a.err); err != nil && (s.named || !errors.Is(err, fs.ErrNotExist)) {
		return c, nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err = s.parse(text)
	return c, text, err
}

// parse makes a configuration of a file's text and of the flags.
func (s *Source) parse(text []byte) (Config, error) {
	var c Config
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	c.AddFlags(flags)
	if err := c.decode(text); err != nil {
		return c, fmt.Errorf("cannot use the configuration %s: %w", s.file, err)
	}
	c.file = s.file
	for name, value := range s.flags {
		if err := flags.Set(name, value); err != nil {
			return c, fmt.Errorf("cannot use --%s: %w", name, err)
		}
	}
	if err := c.complete(); err != nil {
		return c, err
	}
	if err := c.check(); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return c, fmt.Errorf("cannot use the configuration %s: %w", s.file, err)
	} else if err != nil {
		return c, err
	}
	return c, nil
}

// Start is the configuration to begin with. A file that cannot be used keeps nothing from running: then it is the last
// one that could be, or the defaults, and problem is the sentence about it. What is wrong with the flags is an error.
func (s *Source) Start() (c Config, text []byte, problem, err error) {
	c, text, problem = s.Read()
	if problem == nil {
		return c, text, nil, nil
	}
	if c, err = s.parse(nil); err != nil || s.named && errors.Is(problem, fs.ErrNotExist) { // the latter is a mistake of the command line
		return c, nil, nil, problem
	}
	good, err := atomicfile.Read(lastGoodConfig(c.Root), atomicfile.Limit)
	if err != nil {
		return c, nil, fmt.Errorf("%w; podd runs with its defaults", problem), nil
	}
	last, err := s.parse(good)
	if err != nil {
		return c, nil, fmt.Errorf("%w; nor can the last good one be used, and podd runs with its defaults", problem), nil
	}
	return last, good, fmt.Errorf("%w; podd keeps to the last good one", problem), nil
}

// lastGoodConfig is the copy of the last configuration that could be used. It is found without one: below --root,
// or in the default place.
func lastGoodConfig(root string) string { return filepath.Join(root, "config.lastgood.yaml") }

// Keep remembers the text of a configuration that can be used, on flash, if it is not what is there.
func (s *Source) Keep(text []byte) error {
	c, err := s.parse(nil)
	if err != nil {
		return nil // defaults with these flags cannot be used; neither could be what would be kept for them
	}
	path := lastGoodConfig(c.Root)
	old, err := atomicfile.Read(path, atomicfile.Limit)
	if err == nil && bytes.Equal(old, text) || errors.Is(err, fs.ErrNotExist) && len(text) == 0 {
		return nil
	}
	if err := os.MkdirAll(c.Root, 0o711); err != nil {
		return fmt.Errorf("cannot keep the configuration: %w", err)
	}
	if err := atomicfile.WriteSync(path, text, 0o600); err != nil {
		return fmt.Errorf("cannot keep the configuration: %w", err)
	}
	return nil
}
