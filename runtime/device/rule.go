package device

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Rule offers devices to pods as a resource that is counted.
type Rule struct {
	// Resource is the name that pods ask for; an asterisk in it stands for the name of the device: smarter-devices/*.
	Resource string `json:"resource"`
	// Which devices: all that are given must hold. They are patterns as of path.Match, in any case of letters but for Path.
	Path      string `json:"path"`      // on the host, also of a link or of a folder of devices
	Subsystem string `json:"subsystem"` // tty, sound, video4linux, gpio
	Vendor    string `json:"vendor"`    // by id or name, of the USB or PCI device that it is a part of
	Model     string `json:"model"`
	Serial    string `json:"serial"`
	// CDI takes the devices of this kind from CDI specs instead: nvidia.com/gpu.
	CDI string `json:"cdi"`
	// Count is how many containers may have each device at a time; 0: one.
	Count int `json:"count"`
	// MountPath is where a container has the device, "": where it is on the host. Of several the later ones have numbers
	// behind it, or, where it ends with a slash, each its name.
	MountPath   string `json:"mountPath"`
	Permissions string `json:"permissions"` // of r, w, m; "": rw
}

// maxCount bounds how many may share a device.
const maxCount = 10000

// Check says what is wrong with a rule. validName judges the name of a resource.
func (r *Rule) Check(validName func(string) error) error {
	name := r.Resource
	if name == "" {
		name = r.CDI
	}
	if err := validName(strings.ReplaceAll(name, "*", "x")); err != nil {
		return fmt.Errorf("resource %q: %w", name, err)
	}
	if !strings.Contains(name, "/") || strings.Contains(strings.SplitN(name, "/", 2)[0], "kubernetes.io") || strings.HasPrefix(name, "requests.") {
		return fmt.Errorf("resource %q must be an extended resource, such as example.com/stick", name)
	}
	byHost := r.Path + r.Subsystem + r.Vendor + r.Model + r.Serial
	switch {
	case r.CDI != "" && byHost+r.MountPath+r.Permissions != "":
		return fmt.Errorf("resource %q: beside cdi there can be resource and count only: the rest is in the CDI spec", name)
	case r.CDI == "" && byHost == "":
		return fmt.Errorf("resource %q: say which devices by path, subsystem, vendor, model, serial or cdi", name)
	case r.CDI == "" && r.Resource == "":
		return errors.New("resource must not be empty")
	case r.Path != "" && !path.IsAbs(r.Path):
		return fmt.Errorf("resource %q: path %q must begin with /", name, r.Path)
	case r.MountPath != "" && !path.IsAbs(r.MountPath):
		return fmt.Errorf("resource %q: mountPath %q must begin with /", name, r.MountPath)
	case r.Count < 0 || r.Count > maxCount:
		return fmt.Errorf("resource %q: count must be between 1 and %d, not %d", name, maxCount, r.Count)
	case strings.Trim(r.Permissions, "rwm") != "":
		return fmt.Errorf("resource %q: permissions %q has more than r, w and m", name, r.Permissions)
	}
	for _, pattern := range []string{r.Path, r.Subsystem, r.Vendor, r.Model, r.Serial} {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("resource %q: pattern %q: %w", name, pattern, err)
		}
	}
	return nil
}

// needsSysfs says that the path alone does not tell.
func (r *Rule) needsSysfs() bool { return r.Subsystem+r.Vendor+r.Model+r.Serial != "" }

func (r *Rule) matches(i *info) bool {
	return anyMatches(r.Subsystem, i.subsystem) && anyMatches(r.Vendor, i.vendors...) && anyMatches(r.Model, i.models...) && anyMatches(r.Serial, i.serial)
}

func anyMatches(pattern string, texts ...string) bool {
	if pattern == "" {
		return true
	}
	for _, text := range texts {
		if ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(text)); ok && text != "" {
			return true
		}
	}
	return false
}
