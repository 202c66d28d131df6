// Package security says what confines the containers that run, for podd doctor security.
package security

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/escape"
	"podd/runtime/container/confinement"
	"podd/runtime/container/lsm"
	"podd/runtime/manifest/annotation"
	"podd/runtime/podsecurity"
)

// Container is what is said of one container.
type Container struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Standard  string `json:"podSecurity"`              // the strictest of the Pod Security Standards that the pod keeps to
	Handler   string `json:"runtimeHandler,omitempty"` // of the pod's RuntimeClass
	Users     string `json:"users,omitempty"`          // whose the pod's are, and why not its own, if it leaves that to the node

	*confinement.Facts
	Unlabelled string   `json:"seLinuxIgnored,omitempty"` // the SELinux label that its pod asks for, and that it has not got
	Tighter    []string `json:"tighter"`
}

// Of looks at the containers that run. One that ends meanwhile is left out.
func Of(pods *corev1.PodList, namespace, name string) ([]Container, error) {
	const proc = "/proc"
	first, err := confinement.Processes(proc)
	if err != nil {
		return nil, err
	}
	armed := lsm.Machine{}.Enforces()
	list := []Container{}
	for i := range pods.Items {
		p := &pods.Items[i]
		if name != "" && p.Name != name || namespace != "" && p.Namespace != namespace {
			continue
		}
		for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for j := range statuses {
				s := &statuses[j]
				_, id, _ := strings.Cut(s.ContainerID, "://")
				pid, runs := first[id]
				if s.State.Running == nil || !runs {
					continue
				}
				facts, err := confinement.Read(proc, pid)
				if err != nil {
					if _, gone := os.Stat(fmt.Sprintf("%s/%d", proc, pid)); gone != nil {
						continue
					}
					return nil, err
				}
				list = append(list, Container{p.Namespace, p.Name, s.Name, podsecurity.Strictest(p), p.Annotations[annotation.HandlerKey], p.Annotations[annotation.UsersKey], facts, unlabelled(p, s.Name), facts.Tighter(armed)})
			}
		}
	}
	if name != "" && len(list) == 0 {
		return nil, fmt.Errorf("no container of pod %q runs", name)
	}
	return list, nil
}

// unlabelled is the SELinux label that a container of a pod asks for and has not got, as SELinux is off.
func unlabelled(pod *corev1.Pod, name string) string {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return lsm.Machine{}.Unlabelled(pod, &list[i])
			}
		}
	}
	return ""
}

// Print prints them for a person, or as JSON.
func Print(out io.Writer, list []Container, format string) error {
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"containers": list})
	}
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	words := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return strings.Join(list, " ")
	}
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	for i := range list {
		c := &list[i]
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s/%s, container %s, process %d\n", c.Namespace, c.Pod, c.Container, c.PID)
		row := func(what, is string) { fmt.Fprintf(out, "  %-16s  %s\n", what, escape.Line(is)) }
		row("pod security", c.Standard)
		if c.Handler != "" {
			row("runtime handler", c.Handler)
		}
		row("user namespace", or(c.OwnUsers, or(c.Users, "the machine's")))
		row("user", fmt.Sprint(c.UID))
		row("capabilities", words(c.Capabilities))
		row("effective", words(c.Effective))
		row("seccomp", c.Seccomp)
		row("AppArmor", or(c.AppArmor, "none"))
		if c.SELinux != "" {
			row("SELinux", c.SELinux)
		} else if c.Unlabelled != "" {
			row("SELinux", "none: seLinuxOptions ask for "+c.Unlabelled+", and SELinux is off on this machine")
		}
		row("no_new_privs", yes(c.NoNewPrivs))
		row("read-only root", yes(c.ReadOnlyRoot))
		row("masked", words(c.Masked))
		row("read-only", words(c.ReadOnly))
		row("host namespaces", words(c.Host))
		row("devices", words(c.Devices))
		var mounts []string
		for _, m := range c.Mounts {
			mounts = append(mounts, m.At+map[bool]string{true: " (rw)", false: " (ro)"}[m.Writable])
		}
		row("mounts", words(mounts))
		for k, text := range c.Tighter {
			row(map[bool]string{true: "tighter", false: ""}[k == 0], text)
		}
	}
	return nil
}
