// Package cdi reads the specs of the Container Device Interface: which devices vendors have described, and how a container has to
// be edited to have one.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
package cdi

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"podd/internal/atomicfile"
	"podd/runtime/manifest/decode"
)

// DefaultDirs are where specs are, the later ones before the earlier.
func DefaultDirs() []string { return []string{"/etc/cdi", "/var/run/cdi"} }

// annotationPrefix begins the keys of annotations that name devices.
const annotationPrefix = "cdi.k8s.io/"

// ErrUnresolvable says of devices that no spec describes them. The words are containerd's.
var ErrUnresolvable = errors.New("unresolvable CDI devices")

// Specs are those of some folders at a moment.
type Specs struct {
	devices  map[string]found // by qualified name
	Problems []Problem        // of files that are left out
}

// Problem is why a file is left out.
type Problem struct {
	File string
	Err  error
}

// Error names the file.
func (p Problem) Error() string { return "cannot use CDI spec " + p.File + ": " + p.Err.Error() }

type found struct {
	dir      int
	spec     *specs.Spec
	device   *specs.Device
	conflict bool // two specs of one folder describe it
}

// maxSpec is more than a spec has, in bytes.
const maxSpec = 1 << 20

// Load reads the specs of folders. What cannot be used is left out, with its problem.
func Load(dirs []string) *Specs {
	s := &Specs{devices: map[string]found{}}
	for i, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				s.Problems = append(s.Problems, Problem{dir, err})
			}
			continue
		}
		for _, entry := range entries {
			if ext := path.Ext(entry.Name()); ext != ".json" && ext != ".yaml" {
				continue
			}
			file := filepath.Join(dir, entry.Name())
			spec, err := read(file)
			if err != nil {
				s.Problems = append(s.Problems, Problem{file, err})
				continue
			}
			s.take(i, spec)
		}
	}
	return s
}

func (s *Specs) take(dir int, spec *specs.Spec) {
	for i := range spec.Devices {
		name := spec.Kind + "=" + spec.Devices[i].Name
		have, ok := s.devices[name]
		s.devices[name] = found{dir: dir, spec: spec, device: &spec.Devices[i], conflict: ok && have.dir == dir}
	}
}

func read(file string) (*specs.Spec, error) {
	data, err := atomicfile.Read(file, maxSpec)
	if err != nil {
		return nil, err
	}
	mapping, err := decode.ReadMapping(path.Base(file), data)
	if err != nil {
		return nil, err
	}
	var spec specs.Spec
	if faults, err := mapping.Decode(&spec); err != nil {
		return nil, err
	} else if len(faults) > 0 {
		return nil, errors.New(faults[0].String())
	}
	return &spec, check(&spec)
}

// check judges a spec as the reference implementation does, and refuses what podd does not do.
func check(s *specs.Spec) error {
	vendor, class, ok := strings.Cut(s.Kind, "/")
	switch {
	case s.Version == "":
		return errors.New("cdiVersion is missing")
	case !slices.Contains([]string{"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"}, strings.TrimPrefix(s.Version, "v")):
		return fmt.Errorf("cdiVersion %q is none that podd knows", s.Version)
	case !ok || !validName(vendor, "_-.") || !validName(class, "_-.") || isDigit(vendor[0]) || isDigit(class[0]):
		return fmt.Errorf("kind %q must be VENDOR/CLASS, such as example.com/gpu", s.Kind)
	case len(s.Devices) == 0:
		return errors.New("it has no devices")
	}
	if err := checkEdits(&s.ContainerEdits); err != nil {
		return fmt.Errorf("containerEdits: %w", err)
	}
	seen := map[string]bool{}
	for i := range s.Devices {
		d := &s.Devices[i]
		switch {
		case !validName(d.Name, "_-.:"):
			return fmt.Errorf("devices[%d].name %q is no name of a device", i, d.Name)
		case seen[d.Name]:
			return fmt.Errorf("devices[%d].name %q is there twice", i, d.Name)
		}
		seen[d.Name] = true
		if err := checkEdits(&d.ContainerEdits); err != nil {
			return fmt.Errorf("devices[%d].containerEdits: %w", i, err)
		}
	}
	return nil
}

// hookNames are the stages of the OCI runtime specification.
var hookNames = [...]string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

func checkEdits(e *specs.ContainerEdits) error {
	switch {
	case len(e.NetDevices) > 0:
		return errors.New("netDevices: podd does not move network interfaces into pods")
	case e.IntelRdt != nil:
		return errors.New("intelRdt: podd does not set cache and bandwidth of Intel RDT")
	}
	if err := checkEnv(e.Env); err != nil {
		return err
	}
	for _, n := range e.DeviceNodes {
		if n != nil && (!slices.Contains([]string{"", "b", "c", "u", "p"}, n.Type) || n.Major < 0 || n.Minor < 0) {
			return fmt.Errorf("deviceNodes: %s is of type %q with the number %d:%d, and there is no such device", n.Path, n.Type, n.Major, n.Minor)
		}
		if n == nil || !path.IsAbs(n.Path) || n.HostPath != "" && !path.IsAbs(n.HostPath) || strings.Trim(n.Permissions, "rwm") != "" {
			return errors.New("deviceNodes: path must begin with /, and permissions be of r, w and m")
		}
	}
	for _, m := range e.Mounts {
		if m == nil || m.HostPath == "" || !path.IsAbs(m.ContainerPath) {
			return errors.New("mounts: hostPath and an absolute containerPath must be there")
		}
		if m.Type != "" && m.Type != "bind" && m.Type != "none" {
			return fmt.Errorf("mounts: podd binds only, and does not mount type %q", m.Type)
		}
	}
	for _, h := range e.Hooks {
		if h == nil || !slices.Contains(hookNames[:], h.HookName) || !path.IsAbs(h.Path) {
			return errors.New("hooks: hookName must be a stage of OCI, and path begin with /")
		}
		if err := checkEnv(h.Env); err != nil {
			return fmt.Errorf("hooks: %w", err)
		}
	}
	return nil
}

func checkEnv(list []string) error {
	for _, v := range list {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return fmt.Errorf("env %q must be NAME=VALUE", v)
		}
	}
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// validName begins with a letter or digit and ends with one.
func validName(s, between string) bool {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) }
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && !strings.Contains(between, s[i:i+1]) {
			return false
		}
	}
	return true
}

// Kind lists the qualified names of the devices of a kind.
func (s *Specs) Kind(kind string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.devices)) {
		if strings.HasPrefix(name, kind+"=") && !s.devices[name].conflict && !strings.HasSuffix(name, "=all") {
			out = append(out, name)
		}
	}
	return out
}

// Edits are those of devices together: of each spec once, and then of its devices, in the order of the names.
func (s *Specs) Edits(names []string) (specs.ContainerEdits, error) {
	var out specs.ContainerEdits
	var unknown []string
	specsDone, devicesDone := map[*specs.Spec]bool{}, map[string]bool{}
	for _, name := range names {
		f, ok := s.devices[name]
		if !ok || f.conflict {
			unknown = append(unknown, name)
			continue
		}
		if !specsDone[f.spec] {
			specsDone[f.spec] = true
			add(&out, &f.spec.ContainerEdits)
		}
		if !devicesDone[name] {
			devicesDone[name] = true
			add(&out, &f.device.ContainerEdits)
		}
	}
	if len(unknown) > 0 {
		return specs.ContainerEdits{}, fmt.Errorf("CDI device injection failed: %w %s: %s", ErrUnresolvable, strings.Join(unknown, ", "), s.whyUnknown(unknown[0]))
	}
	return out, nil
}

// whyUnknown says what is wrong with the name of a device that no spec describes.
func (s *Specs) whyUnknown(name string) string {
	kind, device, ok := strings.Cut(name, "=")
	switch {
	case !ok || kind == "" || device == "":
		return fmt.Sprintf("%q is not VENDOR/CLASS=NAME, such as example.com/gpu=0", name)
	case s.devices[name].conflict:
		return "two files of a folder describe " + name
	}
	for other := range s.devices {
		if strings.HasPrefix(other, kind+"=") {
			return "the specs of " + kind + " have no device " + device
		}
	}
	return "no spec is of the kind " + kind
}

func add(to, e *specs.ContainerEdits) {
	to.Env = append(to.Env, e.Env...)
	to.DeviceNodes = append(to.DeviceNodes, e.DeviceNodes...)
	to.Hooks = append(to.Hooks, e.Hooks...)
	to.Mounts = append(to.Mounts, e.Mounts...)
	to.AdditionalGIDs = append(to.AdditionalGIDs, e.AdditionalGIDs...)
}

// Annotated are the devices that annotations name, in the order of the keys.
func Annotated(annotations map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(key, annotationPrefix) {
			continue
		}
		for name := range strings.SplitSeq(annotations[key], ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}
