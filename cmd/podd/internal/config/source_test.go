package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile"
)

// source is a configuration file in a folder, with --root beside it.
func source(t *testing.T) *Source {
	t.Helper()
	dir := t.TempDir()
	return &Source{file: filepath.Join(dir, "config.yaml"), flags: map[string]string{"root": filepath.Join(dir, "lib")}}
}

func (s *Source) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A mistake in the file never keeps podd from running.
func TestConfigLastGood(t *testing.T) {
	s := source(t)
	start := func(bridge, complaint string) {
		t.Helper()
		c, text, problem, err := s.Start()
		switch {
		case err != nil:
			t.Fatal(err)
		case c.Bridge != bridge:
			t.Errorf("bridge %s, want %s", c.Bridge, bridge)
		case complaint == "" && problem != nil, complaint != "" && (problem == nil || !strings.Contains(problem.Error(), complaint)):
			t.Errorf("problem %v, want %q", problem, complaint)
		}
		if problem == nil {
			if err := s.Keep(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.write(t, "brigde: a\n")
	start("podd0", `config.yaml: line 1: unknown field "brigde": did you mean bridge?; podd runs with its defaults`)
	s.write(t, "bridge: br5\n")
	start("br5", "")
	s.write(t, "bridge: [\n")
	start("br5", "; podd keeps to the last good one")
	s.write(t, "bridge: br6\npodPidsLimit: 0\n")
	start("br5", "config.yaml: podPidsLimit must be positive")
	if err := os.WriteFile(lastGoodConfig(s.flags["root"]), []byte("of: another version\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start("podd0", "nor can the last good one be used")
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	start("podd0", "")
	s.write(t, "x")
	start("podd0", "; podd keeps to the last good one")
}

// A mistake on the command line is not the file's, and ends podd.
func TestConfigMistakenFlags(t *testing.T) {
	for flag, value := range map[string]string{"log-format": "xml", "config": "/nonexistent/podd.yaml", "node-name": "A_B"} {
		s := source(t)
		s.write(t, "bridge: br5\n")
		s.flags[flag] = value
		if flag == "config" {
			s.file, s.named = value, true
		}
		if _, _, _, err := s.Start(); err == nil {
			t.Errorf("--%s=%s is accepted", flag, value)
		}
	}
}

// Flash is not written for what is there already.
func TestConfigKeptOnce(t *testing.T) {
	s := source(t)
	path := lastGoodConfig(s.flags["root"])
	if err := s.Keep(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an absent file is kept")
	}
	var inodes []uint64
	for _, text := range []string{"bridge: a\n", "bridge: a\n", "bridge: b\n"} {
		if err := s.Keep([]byte(text)); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		inodes = append(inodes, reflect.ValueOf(st.Sys()).Elem().FieldByName("Ino").Uint())
	}
	if inodes[0] != inodes[1] || inodes[1] == inodes[2] {
		t.Errorf("inodes %v", inodes)
	}
}

func TestLaterKeys(t *testing.T) {
	now, next := Default(), Default()
	next.Logging = LoggingConfig{Format: "json", Level: "debug"}
	next.Bridge, next.PodPidsLimit, next.file = "br1", 5, "elsewhere"
	if got, want := LaterKeys(&now, &next), []string{"bridge", "logging.format"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	known := allKeys()
	for _, key := range liveKeys() {
		if !slices.Contains(known, key) {
			t.Errorf("%s is no key of the configuration", key)
		}
	}
}

func allKeys() []string {
	var keys []string
	c := Default()
	eachKey("", reflect.ValueOf(c), reflect.ValueOf(c), func(key string, _, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// The configuration file of the packages has every key with its default, commented out.
func TestPackagedConfig(t *testing.T) {
	const path = "../../../../board/packaging/config.yaml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := Default()
	if err := got.decode(data); err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("as it is, it changes something: %v", err)
	}
	// Text has one blank after the #; a setting none, or, within another, at least two.
	text := regexp.MustCompile(`(?m)^#( {2,})?([^# ])`).ReplaceAllString(string(data), "$1$2")
	if err := got.decode([]byte(text)); err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("with all comments gone it is not the defaults: %v\n%s", err, text)
	}
	for _, key := range allKeys() {
		parts := strings.Split(key, ".")
		if !strings.Contains(text, "\n"+strings.Repeat("  ", len(parts)-1)+parts[len(parts)-1]+":") {
			t.Errorf("%s lacks #%s: add it there with its default, and a sentence above it", path, key)
		}
	}
	if !strings.Contains(string(data), strings.Join(liveKeys(), ", ")) {
		t.Errorf("%s does not name the settings that a reload changes: %s", path, strings.Join(liveKeys(), ", "))
	}
}

func TestConfigThatCannotBeRead(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a named pipe":                func(p string) error { return unix.Mkfifo(p, 0o600) },
		"a device":                    func(p string) error { return os.Symlink("/dev/zero", p) },
		"a file of the kernel's own":  func(p string) error { return os.Symlink("/proc/kmsg", p) },
		"a folder":                    func(p string) error { return os.Mkdir(p, 0o700) },
		"it is too large":             func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 1<<40)) },
		"file system does not answer": nil,
	} {
		s := source(t)
		if put != nil {
			if err := put(s.file); err != nil {
				t.Fatal(err)
			}
		} else {
			release := make(chan struct{})
			defer close(release)
			s.guard = hostfile.Guard{Patience: time.Millisecond, Most: 1}
			if _, err := hostfile.Do(&s.guard, s.file, func() int { <-release; return 0 }); !errors.Is(err, hostfile.ErrHangs) {
				t.Fatal(err)
			}
		}
		c, _, problem, err := s.Start()
		if err != nil || problem == nil || !strings.Contains(problem.Error(), name) || c.Bridge != "podd0" {
			t.Errorf("%s: bridge %q, problem %v, %v", name, c.Bridge, problem, err)
		}
	}
}
