package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/netns/namespace"
	"podd/runtime/container/spec"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
)

// What needs the machine's ids keeps them.
func TestWhyHostUsers(t *testing.T) {
	for spec, want := range map[string]string{
		`{}`:                     "",
		`{"hostNetwork":true}`:   "hostNetwork",
		`{"hostPID":true}`:       "hostPID",
		`{"hostIPC":true}`:       "hostIPC",
		`{"securityContext":{}}`: "",
		`{"securityContext":{"runAsUser":65535,"fsGroup":1000}}`:                                           "",
		`{"securityContext":{"runAsUser":65536}}`:                                                          "ids above 65535 in the securityContext",
		`{"securityContext":{"runAsGroup":70000}}`:                                                         "ids above 65535 in the securityContext",
		`{"securityContext":{"fsGroup":1000650000}}`:                                                       "ids above 65535 in the securityContext",
		`{"securityContext":{"supplementalGroups":[1,1000650000]}}`:                                        "ids above 65535 in the securityContext",
		`{"volumes":[{"name":"v","nfs":{"server":"s","path":"/"}}]}`:                                       "volume v is of nfs",
		`{"volumes":[{"name":"shared","persistentVolumeClaim":{"claimName":"c"}}]}`:                        "volume shared is of nfs",
		`{"volumes":[{"name":"v","emptyDir":{"medium":"HugePages-2Mi"}}]}`:                                 "volume v is of huge pages",
		`{"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]}`:                                        "",
		`{"volumes":[{"name":"v","emptyDir":{}}]}`:                                                         "",
		`{"containers":[{"name":"c","volumeDevices":[{"name":"v"}]}]}`:                                     "volumeDevices of container c",
		`{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPropagation":"Bidirectional"}]}]}`:   "mountPropagation: Bidirectional of container c",
		`{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPropagation":"HostToContainer"}]}]}`: "",
		`{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPropagation":"HostToContainer"}]}],"volumes":[{"name":"v","hostPath":{"path":"/mnt"}}]}`: "mountPropagation: HostToContainer of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["MKNOD"]}}}]}`:                                                                   "capability MKNOD of container c",
		`{"containers":[{"name":"c","securityContext":{"privileged":true}}]}`:                                                                                  "privileged of container c",
		`{"initContainers":[{"name":"i","securityContext":{"privileged":true}}],"containers":[{"name":"c"}]}`:                                                  "privileged of container i",
		`{"containers":[{"name":"c","securityContext":{"runAsUser":70000}}]}`:                                                                                  "ids above 65535 in the securityContext of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["NET_ADMIN","CAP_SYS_PTRACE"]}}}]}`:                                              "",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["sys_time"]}}}]}`:                                                                "capability sys_time of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["ALL"]}}}]}`:                                                                     "capability ALL of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"drop":["ALL"]}}}]}`:                                                                    "",
	} {
		var p corev1.Pod
		if err := json.NewDecoder(strings.NewReader(spec)).Decode(&p.Spec); err != nil {
			t.Fatal(err)
		}
		if got := whyHostUsers(&p, "shared"); got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
}

// What fails for the pod's own ids is told from everything else, and counts only for who did not ask for them.
func TestWhyGiveUp(t *testing.T) {
	yes, no := true, false
	unmappable := fmt.Errorf("volume: %w", &userns.UnmappableError{Path: "/data", FileSystem: "overlay"})
	for _, c := range []struct {
		asks    *bool
		own     bool
		handler string
		err     error
		want    string
	}{
		{nil, true, "", unmappable, "/data is on overlay"},
		{nil, true, "", &spec.BeyondError{What: `container "c"`, ID: 70000, Last: 65535}, `container "c" runs as user or group 70000`},
		{nil, true, "", &ImageOwnersError{"i", 70000}, "image i has files of user or group 70000"},
		{nil, true, "", errors.New("no space"), ""},
		{nil, true, "", nil, ""},
		{nil, true, "auto", unmappable, "/data is on overlay"},
		{nil, true, state.UsersRequired, unmappable, ""},
		{nil, false, "", unmappable, ""},
		{&no, true, "", unmappable, ""},
		{&yes, false, "", unmappable, ""},
	} {
		rec := &state.Record{Object: &corev1.Pod{Spec: corev1.PodSpec{HostUsers: c.asks}}, Sandbox: state.SandboxRecord{OwnUsers: c.own}}
		if c.handler != "" {
			rec.Sandbox.Handler = &state.HandlerRecord{Handler: state.Handler{UserNamespaces: c.handler}}
		}
		if got := WhyGiveUp(rec, c.err); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
		if got := whyNoNamespaces(rec, unix.ENOMEM); got != "" {
			t.Errorf("a moment without memory: %q", got)
		}
		if got := whyNoNamespaces(rec, namespace.ErrTooManyUserNamespaces); (got != "") != (c.asks == nil && c.own && c.handler != state.UsersRequired) {
			t.Errorf("%+v without a namespace: %q", c, got)
		}
	}
}

// Folders of the machine in which a pod would see other owners than a kubelet's keep the machine's ids.
func TestWhyNotHostPath(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	plain, foreign, link := filepath.Join(dir, "plain"), filepath.Join(dir, "foreign"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(plain, 0o755), os.Mkdir(foreign, 0o755), os.Lchown(foreign, 0, 70000), os.Symlink("/run", link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain: "", filepath.Join(dir, "none"): "", foreign: "belongs to user 0, group 70000", link: "is in /run, where the machine's services listen",
		"/dev/null": "is a device or a socket", "/proc/sys": "is on proc", "/": "has another file system below it, at /",
	} {
		got := whyNotHostPath(path)
		if path == plain || want == "" {
			if _, ok := userns.KnownToMap(dir); !ok {
				continue
			}
		}
		if got != want && (path != "/" || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestWhyNotImage(t *testing.T) {
	for _, c := range []struct {
		user    string
		highest uint32
		want    string
	}{
		{"", 0, ""},
		{"65535:65535", 65535, ""},
		{"web", 65535, ""},
		{"70000", 0, "image i runs as user or group 70000"},
		{"1:70000", 0, "image i runs as user or group 70000"},
		{"", 65536, "image i has files of user or group 65536"},
	} {
		if got := whyNotImage(Image{"i", c.user, func() (uint32, error) { return c.highest, nil }}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
