package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Labels are the SELinux labels of a container: of its processes, and of the files that are mounted for it; "": none.
type Labels struct{ Process, Mount string }

// ErrNoLevel says that a pod's pair of categories is not known: without it, its containers would be in reach of all others.
var ErrNoLevel = errors.New("the pod's SELinux level has been lost; end the pod with podd delete pod, and it starts with another")

// Labels says which labels a container gets; none where SELinux is off. level is of the pod, "" on a machine without levels. A
// container that asks for nothing has the labels that the policy has for containers, and none if it knows no containers.
func (m Machine) Labels(pod *corev1.Pod, c *corev1.Container, level string) (Labels, error) {
	if !m.Labelling() {
		return Labels{}, nil
	}
	process, file := m.containerLabels()
	asked, privileged := labelOf(pod, c), isPrivileged(c)
	if privileged {
		process.typ = privilegedType
	}
	if m.HasLevels() {
		file.level = level
		if process.level = level; privileged {
			process.level = lowest
		}
		if level == "" && (asked == nil || asked.Level == "") {
			return Labels{}, ErrNoLevel
		}
	} else {
		process.level, file.level = "", ""
	}
	if asked == nil {
		return m.known(Labels{process.String(), file.String()}), nil
	}
	if err := checkLevel(asked.Level); err != nil {
		return Labels{}, err
	}
	process = label{
		user: cmp.Or(asked.User, process.user), role: cmp.Or(asked.Role, process.role),
		typ: cmp.Or(asked.Type, process.typ), level: cmp.Or(asked.Level, process.level),
	}
	file.user, file.level = cmp.Or(asked.User, file.user), cmp.Or(asked.Level, file.level)
	out := Labels{process.String(), file.String()}
	for _, text := range []string{out.Process, out.Mount} {
		if !m.isLabel(text) {
			return Labels{}, fmt.Errorf("the SELinux policy of this machine has no label %q, which seLinuxOptions of container %q ask for", text, c.Name)
		}
	}
	return out, nil
}

// ImageLabel is the SELinux label of images' files, which all containers may read and execute; "": they get none.
func (m Machine) ImageLabel() string {
	if !m.Labelling() {
		return ""
	}
	_, file := m.containerLabels()
	image := parseLabel(setting(m.contexts(), "ro_file"))
	if image.typ == "" {
		image = file
		image.typ = "container_ro_file_t"
	}
	if !m.HasLevels() {
		image.level = ""
	}
	if text := image.String(); m.isLabel(text) {
		return text
	}
	return ""
}

// Labelling says whether SELinux is on: it has a policy.
func (m Machine) Labelling() bool {
	if _, err := os.Stat(m.path("sys/fs/selinux/enforce")); err != nil {
		return false
	}
	current, err := os.ReadFile(m.path("proc/self/attr/current"))
	return err == nil && strings.Trim(string(current), "\x00\n") != "kernel" // as all is called before there is one
}

// HasLevels says whether labels have levels.
func (m Machine) HasLevels() bool {
	mls, err := os.ReadFile(m.path("sys/fs/selinux/mls"))
	return err == nil && strings.TrimSpace(string(mls)) == "1" && m.Labelling()
}

// LevelOf is the level of a process, "" if it has none.
func (m Machine) LevelOf(pid int) string {
	text, err := os.ReadFile(m.path(fmt.Sprintf("proc/%d/attr/current", pid)))
	if err != nil {
		return ""
	}
	return parseLabel(strings.Trim(string(text), "\x00\n")).level
}

// known leaves out what the policy does not know.
func (m Machine) known(l Labels) Labels {
	if !m.isLabel(l.Mount) {
		return Labels{}
	}
	if !m.isLabel(l.Process) {
		l.Process = ""
	}
	return l
}

// isLabel asks the kernel: selinuxfs takes a label that the policy knows.
func (m Machine) isLabel(text string) bool {
	f, err := os.OpenFile(m.path("sys/fs/selinux/context"), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close()) == nil
}

const (
	// privilegedType is of containers that the policy does not confine.
	privilegedType = "spc_t"
	// lowest is the level of what has no categories.
	lowest = "s0"
)

// label is user:role:type:level.
type label struct{ user, role, typ, level string }

func parseLabel(text string) label {
	parts := append(strings.SplitN(text, ":", 4), "", "", "", "")
	return label{parts[0], parts[1], parts[2], parts[3]}
}

func (l label) String() string {
	text := l.user + ":" + l.role + ":" + l.typ
	if l.level != "" {
		text += ":" + l.level
	}
	return text
}

// containerLabels are those that the policy has for containers and for their files; without its word for them, the names
// that container-selinux and the reference policy have.
func (m Machine) containerLabels() (process, file label) {
	process, file = parseLabel("system_u:system_r:container_t:s0"), parseLabel("system_u:object_r:container_file_t:s0")
	text := m.contexts()
	if l := parseLabel(setting(text, "process")); l.typ != "" {
		process = l
	}
	if l := parseLabel(setting(text, "file")); l.typ != "" {
		file = l
	}
	return process, file
}

// contexts are lines of what the policy has for containers.
func (m Machine) contexts() []byte {
	text, err := os.ReadFile(m.path("usr/share/containers/selinux/contexts"))
	if err != nil {
		text, _ = os.ReadFile(m.path("etc/selinux/" + m.policy() + "/contexts/lxc_contexts"))
	}
	return text
}

// policy names the policy that is loaded.
func (m Machine) policy() string {
	text, _ := os.ReadFile(m.path("etc/selinux/config"))
	return setting(text, "SELINUXTYPE")
}

// setting is the value of a key in lines of KEY = "VALUE".
func setting(text []byte, key string) string {
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(line, "=")
		if found && strings.TrimSpace(name) == key {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// labelOf is what is asked for a container: its own word, else the pod's, as a whole; nil: nothing.
func labelOf(pod *corev1.Pod, c *corev1.Container) *corev1.SELinuxOptions {
	var asked *corev1.SELinuxOptions
	if sc := pod.Spec.SecurityContext; sc != nil {
		asked = sc.SELinuxOptions
	}
	if sc := c.SecurityContext; sc != nil && sc.SELinuxOptions != nil {
		asked = sc.SELinuxOptions
	}
	if asked == nil || *asked == (corev1.SELinuxOptions{}) {
		return nil
	}
	return asked
}

// Unlabelled says which label a container asks for and does not get, as SELinux is off: "type t, level s0"; "": none. Who asks
// for the type that confines nothing has what it asks for anyway.
func (m Machine) Unlabelled(pod *corev1.Pod, c *corev1.Container) string {
	asked := labelOf(pod, c)
	if asked == nil || asked.Type == privilegedType || m.Labelling() {
		return ""
	}
	var words []string
	for _, part := range [][2]string{{"user", asked.User}, {"role", asked.Role}, {"type", asked.Type}, {"level", asked.Level}} {
		if part[1] != "" {
			words = append(words, part[0]+" "+part[1])
		}
	}
	return strings.Join(words, ", ")
}

// ForbidsSELinux says why this machine cannot take a pod whose labels are to be enforced, "" if it can.
func (m Machine) ForbidsSELinux(pod *corev1.Pod) string {
	if anyContainer(pod, func(c *corev1.Container) bool { return m.Unlabelled(pod, c) != "" }) {
		return "Cannot enforce SELinux: SELinux is not enabled on the host; turn it on, remove seLinuxOptions, or let the node ignore them (unenforcedSELinux: ignore)"
	}
	return ""
}

// LevelAsked says whether a container asks for a level of its own.
func LevelAsked(pod *corev1.Pod, c *corev1.Container) bool {
	asked := labelOf(pod, c)
	return asked != nil && asked.Level != "" || isPrivileged(c)
}

// checkLevel has containerd's rule and words.
func checkLevel(level string) error {
	const form = `^s\d(-s\d)?(:c\d{1,4}(\.c\d{1,4})?(,c\d{1,4}(\.c\d{1,4})?)*)?$`
	if ok, err := regexp.MatchString(form, level); err != nil || level != "" && !ok {
		return fmt.Errorf("the format of 'level' %q is not correct", level)
	}
	return nil
}

func isPrivileged(c *corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}
