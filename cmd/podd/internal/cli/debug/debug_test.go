package debug

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"podd/runtime/api/apitest"
)

// target is a pod with all that a copy may lose.
func target() *corev1.Pod {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{}}}
	return apitest.Pod("web", func(p *corev1.Pod) {
		p.Labels, p.Annotations = map[string]string{"app": "web"}, map[string]string{"note": "x", "podd.dev/manifest": "web.yaml", "kubernetes.io/config.source": "file"}
		p.Spec.InitContainers = []corev1.Container{{Name: "setup", Image: "setup"}}
		p.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "web:1", Args: []string{"serve"}, LivenessProbe: probe, ReadinessProbe: probe, StartupProbe: probe},
			{Name: "side", Image: "side:1", SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](5)}},
		}
	})
}

func options(change func(o *Options)) *Options {
	o := &Options{
		Profile: General, Image: "busybox", Keep: Keep{InitContainers: true},
		Suffix: func() string { return "abcde" }, Say: func(string, ...any) {},
	}
	change(o)
	return o
}

// security is what a container may, in one line.
func security(t *testing.T, c *corev1.Container) string {
	t.Helper()
	if c.SecurityContext == nil {
		return "none"
	}
	data, err := json.Marshal(c.SecurityContext)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const allRestricted = `{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"allowPrivilegeEscalation":false,"seccompProfile":{"type":"RuntimeDefault"}}`

// What each profile makes of a container and its pod: k8s.io/kubectl v0.37, pkg/cmd/debug/profiles.go.
func TestProfiles(t *testing.T) {
	for profile, want := range map[string]struct{ pod, node string }{
		legacy:     {"none", "none"},
		General:    {`{"capabilities":{"add":["SYS_PTRACE"]}}`, "none"},
		baseline:   {"none", "none"},
		restricted: {allRestricted, allRestricted},
		netadmin:   {`{"capabilities":{"add":["NET_ADMIN","NET_RAW"]}}`, `{"capabilities":{"add":["NET_ADMIN","NET_RAW"]}}`},
		sysadmin:   {`{"privileged":true}`, `{"privileged":true}`},
	} {
		t.Run(profile, func(t *testing.T) {
			o := options(func(o *Options) { o.Profile = profile })
			e, err := o.Ephemeral(target())
			if err != nil || e.Name != "debugger-abcde" || security(t, (*corev1.Container)(&e.EphemeralContainerCommon)) != want.pod {
				t.Errorf("ephemeral: %+v, %v", e, err)
			}
			o.CopyTo = "copy"
			c, name, err := o.Copy(target())
			if err != nil || name != "debugger-abcde" || security(t, &c.Spec.Containers[2]) != want.pod {
				t.Errorf("copy: %+v, %v", c, err)
			}
			shares, probes := c.Spec.ShareProcessNamespace != nil, c.Spec.Containers[0].LivenessProbe != nil
			if shares == (profile == legacy) || probes != (profile == legacy) || c.Labels != nil || (c.Annotations != nil) != (profile == legacy) {
				t.Errorf("copy: %+v", c)
			}
			n, err := o.Node("board", "default")
			if err != nil || security(t, &n.Spec.Containers[0]) != want.node {
				t.Errorf("node: %+v, %v", n, err)
			}
			host := profile != baseline && profile != restricted
			if n.Spec.HostPID != host || n.Spec.HostNetwork != host || n.Spec.HostIPC != host || (len(n.Spec.Volumes) == 1) != (host && profile != netadmin) {
				t.Errorf("node: %+v", n.Spec)
			}
		})
	}
}

func TestCopy(t *testing.T) {
	all := options(func(o *Options) {
		o.CopyTo, o.Keep = "copy", Keep{Labels: true, Annotations: true, Liveness: true, Readiness: true, Startup: true}
		o.SetImages = map[string]string{"*": "any", "side": "side:2"}
		o.Container, o.Args, o.Image, o.ShareProcesses = "app", []string{"sh"}, "", ptr.To(false)
	})
	c, name, err := all.Copy(target())
	if err != nil || name != "app" {
		t.Fatal(name, err)
	}
	app := c.Spec.Containers[0]
	if app.LivenessProbe == nil || app.Image != "any" || app.Args != nil || app.Command[0] != "sh" || c.Spec.Containers[1].Image != "side:2" {
		t.Errorf("%+v", c.Spec)
	}
	if c.Spec.InitContainers != nil || *c.Spec.ShareProcessNamespace || c.Labels["app"] != "web" || len(c.Annotations) != 1 || c.Annotations["note"] != "x" || c.Spec.NodeName != "" {
		t.Errorf("%+v", c)
	}
	images := options(func(o *Options) { o.CopyTo, o.Image, o.SetImages = "copy", "", map[string]string{"app": "web:2"} })
	if c, name, err := images.Copy(target()); err != nil || name != "" || c.Spec.Containers[0].Image != "web:2" {
		t.Errorf("%q %+v, %v", name, c, err)
	}
	if _, _, err := options(func(o *Options) { o.CopyTo, o.Image, o.Container = "copy", "", "none" }).Copy(target()); err == nil {
		t.Error("a new container has no image")
	}
}

func TestCustom(t *testing.T) {
	o := options(func(o *Options) {
		o.Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
		o.Custom = &corev1.Container{
			Env:             []corev1.EnvVar{{Name: "B", Value: "3"}, {Name: "C", Value: "4"}},
			SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](0)},
		}
	})
	e, err := o.Ephemeral(target())
	if err != nil {
		t.Fatal(err)
	}
	if want := []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "3"}, {Name: "C", Value: "4"}}; !slices.Equal(e.Env, want) {
		t.Errorf("%+v", e.Env)
	}
	if got := security(t, (*corev1.Container)(&e.EphemeralContainerCommon)); got != `{"capabilities":{"add":["SYS_PTRACE"]},"runAsUser":0}` || e.Name != "debugger-abcde" || e.Image != "busybox" {
		t.Errorf("%s %+v", got, e)
	}
}

func TestValidate(t *testing.T) {
	for says, change := range map[string]func(o *Options){
		"":                                      func(*Options) {},
		"--image when not using --copy-to":      func(o *Options) { o.Image = "" },
		"you must specify --image, --set-image": func(o *Options) { o.Image, o.CopyTo = "", "x" },
		"an existing container or a new image":  func(o *Options) { o.Image, o.CopyTo, o.Args = "", "x", []string{"sh"} },
		"--replace may only be used":            func(o *Options) { o.Replace = true },
		"--same-node may only be used":          func(o *Options) { o.SameNode = true },
		"--set-image may only be used":          func(o *Options) { o.SetImages = map[string]string{"a": "b"} },
		`invalid image name "A B"`:              func(o *Options) { o.Image = "A B" },
		`for container "a"`:                     func(o *Options) { o.CopyTo, o.SetImages = "x", map[string]string{"a": "B C"} },
		"invalid image pull policy: Often":      func(o *Options) { o.PullPolicy = "Often" },
		"unknown profile: root":                 func(o *Options) { o.Profile = "root" },
		"--target is incompatible":              func(o *Options) { o.CopyTo, o.Target = "x", "app" },
		"-i/--stdin is required":                func(o *Options) { o.TTY = true },
		"not modifiable via custom profile":     func(o *Options) { o.Custom = &corev1.Container{Image: "x"} },
		"in order to attach":                    func(o *Options) { o.Attach, o.Image, o.CopyTo = true, "", "x" },
	} {
		err := options(change).Validate()
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

// kubectl itself, where there is one, asks a server for the same.
func TestAsKubectl(t *testing.T) {
	path, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH")
	}
	board, err := url.Parse("http://" + apitest.ServeTCP(t, apitest.New(target())))
	if err != nil {
		t.Fatal(err)
	}
	var last atomic.Pointer[[]byte] // of what was written
	proxy := httputil.NewSingleHostReverseProxy(board)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.Method != http.MethodPatch {
			proxy.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		last.Store(&body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"},"spec":{"containers":[{"name":"c"}]}}`)
	}))
	defer server.Close()
	home := t.TempDir()
	custom := filepath.Join(home, "custom.json")
	if err := os.WriteFile(custom, []byte(`{"env":[{"name":"C","value":"4"}],"securityContext":{"runAsUser":0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(t *testing.T, into *corev1.Pod, args ...string) {
		t.Helper()
		cmd := exec.Command(path, append([]string{"--server", server.URL, "debug", "--image=busybox", "-c", "dbg", "--attach=false"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null")
		last.Store(new([]byte))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		written := *last.Load()
		if binary, ok := bytes.CutPrefix(written, []byte("k8s\x00")); ok {
			var object runtime.Unknown
			if err := errors.Join(object.Unmarshal(binary), into.Unmarshal(object.Raw)); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := json.Unmarshal(written, into); err != nil {
			t.Fatalf("%v: %s", err, written)
		}
	}
	base := func(profile string) *Options {
		return options(func(o *Options) {
			o.Profile, o.Container, o.Stdin, o.TTY, o.Args = profile, "dbg", true, true, []string{"sh", "-x"}
			o.Env = []corev1.EnvVar{{Name: "A", Value: "1"}}
			o.Custom = &corev1.Container{Env: []corev1.EnvVar{{Name: "C", Value: "4"}}, SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](0)}}
		})
	}
	shown := func(p *corev1.Pod) string {
		p.TypeMeta, p.Status, p.Spec.NodeName = metav1.TypeMeta{}, corev1.PodStatus{}, ""
		for i := range p.Spec.Containers {
			sortEnv(&p.Spec.Containers[i])
		}
		return asJSON(t, p)
	}
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			more := []string{"--profile=" + profile, "-it", "--env=A=1", "--custom=" + custom}
			words := []string{"--", "sh", "-x"}
			var patch corev1.Pod
			ask(t, &patch, append(append([]string{"web", "--target=app"}, more...), words...)...)
			o := base(profile)
			o.Target = "app"
			e, err := o.Ephemeral(target())
			if err != nil {
				t.Fatal(err)
			}
			want := patch.Spec.EphemeralContainers[0]
			sortEnv((*corev1.Container)(&want.EphemeralContainerCommon))
			if want, got := asJSON(t, want), asJSON(t, e); got != want {
				t.Errorf("ephemeral:\n%s\nkubectl's:\n%s", got, want)
			}
			var copied corev1.Pod
			ask(t, &copied, append(append([]string{"web", "--copy-to=copy", "--set-image=side=side:2"}, more...), words...)...)
			o = base(profile)
			o.CopyTo, o.SetImages = "copy", map[string]string{"side": "side:2"}
			c, _, err := o.Copy(target())
			if err != nil {
				t.Fatal(err)
			}
			delete(copied.Annotations, "podd.dev/manifest")
			delete(copied.Annotations, "kubernetes.io/config.source")
			if want, got := shown(&copied), shown(c); got != want {
				t.Errorf("copy:\n%s\nkubectl's:\n%s", got, want)
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sortEnv(c *corev1.Container) {
	if len(c.Env) == 2 && c.Env[0].Name > c.Env[1].Name {
		c.Env[0], c.Env[1] = c.Env[1], c.Env[0]
	}
}
