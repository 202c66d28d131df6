package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Handler is a runtime handler: how pods are run whose RuntimeClass names it. All of it confines them more than others, or
// gives them devices by name.
type Handler struct {
	// UserNamespaces is auto, to give pods that do not say hostUsers ids of their own where that goes, or required, to run
	// no pod without them. "": as the node has it.
	UserNamespaces string `json:"userNamespaces,omitempty"`
	// SeccompProfile and AppArmorProfile are for containers that name none and are not privileged; nil: the node's.
	SeccompProfile  *corev1.SeccompProfile  `json:"seccompProfile,omitempty"`
	AppArmorProfile *corev1.AppArmorProfile `json:"appArmorProfile,omitempty"`
	// CDIDevices are qualified names of devices that each container gets.
	CDIDevices []string `json:"cdiDevices,omitempty"`
	// Sysctls are those of the pod's namespaces, by name. What the pod says itself counts more.
	Sysctls map[string]string `json:"sysctls,omitempty"`
}

// What UserNamespaces may be.
const (
	UsersAuto     = "auto"
	UsersRequired = "required"
)

// HandlerRecord is the runtime handler that a sandbox was made by, as it was then: what becomes of it later does not concern
// the pod.
type HandlerRecord struct {
	Name string `json:"name"`
	Handler
}

// Text says for people what the handler means for a pod.
func (h *HandlerRecord) Text() string {
	var parts []string
	add := func(what string, values ...string) {
		if len(values) > 0 {
			parts = append(parts, what+" "+strings.Join(values, " "))
		}
	}
	add("CDI devices", h.CDIDevices...)
	if h.UserNamespaces != "" {
		add("user namespaces", h.UserNamespaces)
	}
	if p := h.SeccompProfile; p != nil {
		add("seccomp profile", profileText(string(p.Type), p.LocalhostProfile))
	}
	if p := h.AppArmorProfile; p != nil {
		add("AppArmor profile", profileText(string(p.Type), p.LocalhostProfile))
	}
	var sysctls []string
	for _, name := range slices.Sorted(maps.Keys(h.Sysctls)) {
		sysctls = append(sysctls, name+"="+h.Sysctls[name])
	}
	add("sysctls", sysctls...)
	if len(parts) == 0 {
		return fmt.Sprintf("The pod is run by runtime handler %s, as pods without a class", h.Name)
	}
	return fmt.Sprintf("The pod is run by runtime handler %s: %s", h.Name, strings.Join(parts, ", "))
}

func profileText(typ string, file *string) string {
	if file == nil {
		return typ
	}
	return typ + "/" + *file
}
