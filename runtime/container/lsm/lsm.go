// Package lsm chooses the AppArmor profile and the SELinux labels of a container, and says what a pod asks of both that
// this machine cannot give.
package lsm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/annotation"
)

// Default is the profile that podd's packages install and load.
const Default = "podd-default"

// Machine is where the kernel and its policies tell of security modules.
type Machine struct {
	Root string // "": /
}

func (m Machine) path(name string) string { return filepath.Join("/", m.Root, name) }

// Enforces says whether AppArmor enforces profiles.
func (m Machine) Enforces() bool {
	if _, err := os.Stat(m.path("sys/kernel/security/apparmor")); err != nil {
		return false
	}
	enabled, err := os.ReadFile(m.path("sys/module/apparmor/parameters/enabled"))
	return err == nil && strings.HasPrefix(string(enabled), "Y")
}

// loaded says whether the kernel has a profile.
func (m Machine) loaded(name string) (bool, error) {
	// Each line is a profile's name and its mode: "podd-default (enforce)".
	list, err := os.ReadFile(m.path("sys/kernel/security/apparmor/profiles"))
	if err != nil {
		return false, fmt.Errorf("cannot list the AppArmor profiles: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		if i := strings.LastIndex(line, " ("); i >= 0 && line[:i] == name {
			return true, nil
		}
	}
	return false, nil
}

// armorOf is what is asked for a container: its field, the annotation that came before it, the pod's field; nil: nothing.
// The API server copies the annotation to the container's field, if that is not set.
func armorOf(pod *corev1.Pod, c *corev1.Container) *corev1.AppArmorProfile {
	if sc := c.SecurityContext; sc != nil && sc.AppArmorProfile != nil {
		return sc.AppArmorProfile
	}
	if a := annotation.ArmorOf(pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]); a != nil {
		return a
	}
	if sc := pod.Spec.SecurityContext; sc != nil {
		return sc.AppArmorProfile
	}
	return nil
}

// Profile is the name of the AppArmor profile that confines a container, "" if none does. preset is for containers that name
// none and are not privileged; nil: there is none.
func (m Machine) Profile(pod *corev1.Pod, c *corev1.Container, preset *corev1.AppArmorProfile) (string, error) {
	asked := armorOf(pod, c)
	privileged := isPrivileged(c)
	if asked == nil && !privileged {
		asked = preset
	}
	name := Default
	switch {
	case asked != nil && asked.Type == corev1.AppArmorProfileTypeUnconfined:
		return "", nil
	case asked != nil && asked.Type == corev1.AppArmorProfileTypeLocalhost:
		if asked.LocalhostProfile != nil {
			name = *asked.LocalhostProfile
		}
	case privileged: // as with containerd
		return "", nil
	}
	if !m.Enforces() {
		if asked != nil {
			return "", fmt.Errorf("apparmor is not supported on this machine, and container %q asks for it", c.Name)
		}
		return "", nil
	}
	switch loaded, err := m.loaded(name); {
	case loaded:
		return name, nil
	case asked == nil:
		return "", nil
	case err != nil:
		return "", err
	}
	return "", fmt.Errorf("apparmor profile not found %s", name)
}

// ForbidsAppArmor says why this machine cannot take a pod, in a kubelet's words; "" if it can.
func (m Machine) ForbidsAppArmor(pod *corev1.Pod) string {
	asks := anyContainer(pod, func(c *corev1.Container) bool {
		a := armorOf(pod, c)
		return a != nil && a.Type != corev1.AppArmorProfileTypeUnconfined
	})
	if asks && !m.Enforces() {
		return "Cannot enforce AppArmor: AppArmor is not enabled on the host"
	}
	return ""
}

func anyContainer(pod *corev1.Pod, is func(*corev1.Container) bool) bool {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if is(&list[i]) {
				return true
			}
		}
	}
	return false
}
