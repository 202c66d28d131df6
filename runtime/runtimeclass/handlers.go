package runtimeclass

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"podd/runtime/manifest/sysctl"
	"podd/runtime/state"
)

// builtIn are the names by which clusters know runtimes that confine pods by namespaces and cgroups, as podd does. Their
// pods run as those that name no class.
var builtIn = [...]string{"crun", "podd", "runc"}

// Handlers are the runtime handlers of the node's configuration, by name.
type Handlers map[string]state.Handler

// Names are all that classes can name, the built-in ones with them.
func (h Handlers) Names() []string {
	names := append(slices.Collect(maps.Keys(h)), builtIn[:]...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Of is the handler that a pod is to be run by, nil for a pod that names no class; class is nil if there is none of that
// name. The errors are a kubelet's and containerd's, with the remedy.
func (h Handlers) Of(pod *corev1.Pod, class *nodev1.RuntimeClass) (*state.HandlerRecord, error) {
	name := pod.Spec.RuntimeClassName
	if name == nil {
		return nil, nil
	}
	if class == nil {
		return nil, fmt.Errorf("runtimeclass.node.k8s.io %q not found", *name)
	}
	handler, ok := h[class.Handler]
	if !ok && !slices.Contains(builtIn[:], class.Handler) {
		return nil, fmt.Errorf("no runtime for %q is configured; name it below runtimeHandlers in podd's configuration, which has %s", class.Handler, strings.Join(h.Names(), ", "))
	}
	return &state.HandlerRecord{Name: class.Handler, Handler: handler}, nil
}

// Check says what is wrong with the handlers of a configuration.
func (h Handlers) Check() error {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		handler := h[name]
		if why := validation.IsDNS1123Label(name); len(why) > 0 {
			return fmt.Errorf("%q cannot be the name of a handler: %s", name, why[0])
		}
		if err := check(&handler); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func check(h *state.Handler) error {
	switch h.UserNamespaces {
	case "", state.UsersAuto, state.UsersRequired:
	default:
		return fmt.Errorf("userNamespaces must be auto or required, not %q", h.UserNamespaces)
	}
	if h.UserNamespaces == state.UsersRequired && len(h.CDIDevices) > 0 {
		return errors.New("userNamespaces: required does not go with cdiDevices: a pod with devices has the machine's ids")
	}
	if p := h.SeccompProfile; p != nil {
		if err := checkProfile("seccompProfile", string(p.Type), p.LocalhostProfile); err != nil {
			return err
		}
		if name := p.LocalhostProfile; name != nil && !filepath.IsLocal(*name) {
			return fmt.Errorf("seccompProfile.localhostProfile %q must be a path below the folder of profiles", *name)
		}
	}
	if p := h.AppArmorProfile; p != nil {
		if err := checkProfile("appArmorProfile", string(p.Type), p.LocalhostProfile); err != nil {
			return err
		}
	}
	for _, device := range h.CDIDevices {
		if vendor, name, ok := strings.Cut(device, "="); !ok || name == "" || !strings.Contains(vendor, "/") {
			return fmt.Errorf("cdiDevices: %q must be the name of a CDI device, such as nvidia.com/gpu=all", device)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Sysctls)) {
		if err := sysctl.CheckName(name); err != nil {
			return fmt.Errorf("sysctls: %w", err)
		}
	}
	return nil
}

// checkProfile takes profiles that confine: a handler confines its pods more, not less.
func checkProfile(field, typ string, file *string) error {
	switch {
	case typ == string(corev1.SeccompProfileTypeRuntimeDefault) && file == nil:
		return nil
	case typ == string(corev1.SeccompProfileTypeLocalhost) && file != nil && strings.TrimSpace(*file) != "":
		return nil
	case typ == string(corev1.SeccompProfileTypeLocalhost):
		return fmt.Errorf("%s.localhostProfile must be there for type Localhost", field)
	case typ == string(corev1.SeccompProfileTypeRuntimeDefault):
		return fmt.Errorf("%s.localhostProfile must not be there for type RuntimeDefault", field)
	}
	return fmt.Errorf("%s.type must be RuntimeDefault or Localhost, not %q: a pod that is to be confined less says so itself", field, typ)
}
