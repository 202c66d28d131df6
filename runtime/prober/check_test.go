package prober

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/probe"
	"podd/runtime/state"
)

// server is one in the host's network, where the pod of these tests is. It answers /fail with 503, and notes what it was asked.
func server(t *testing.T) (port int32, asked *http.Request) {
	t.Helper()
	asked = &http.Request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r.Clone(r.Context())
		if r.URL.Path == "/fail" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	at, _ := url.Parse(s.URL)
	n, err := strconv.ParseInt(at.Port(), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n), asked
}

// closed is a port that nobody listens on.
func closed(t *testing.T) int32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return int32(l.Addr().(*net.TCPAddr).Port)
}

// hostPod is a pod in the host's network with a container that has this probe.
func (pr *Prober) hostPod(h corev1.ProbeHandler, ports ...corev1.ContainerPort) worker {
	spec := &corev1.Container{Name: "c", Ports: ports, LivenessProbe: &corev1.Probe{ProbeHandler: h}}
	rec := &state.Record{UID: "u", Object: &corev1.Pod{Spec: corev1.PodSpec{HostNetwork: true}}}
	return worker{&containerProbes{prober: pr, uid: "u", spec: spec, target: pr.target(rec, spec)}, Liveness}
}

// What each form of a probe asks, and what its answer means.
func TestCheck(t *testing.T) {
	pr, _ := noProbes(t)
	port, asked := server(t)
	none := closed(t)
	at := intstr.FromInt32
	named := []corev1.ContainerPort{{Name: "web", ContainerPort: port}, {Name: "none", ContainerPort: none}}
	for _, tc := range []struct {
		name string
		h    corev1.ProbeHandler
		want probe.Result
		text string
	}{
		{"http", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: at(port), Path: "/ok?a=1"}}, probe.Success, ""},
		{"http, a port by its name", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("web")}}, probe.Success, ""},
		{"http, no such name", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("other")}}, probe.Unknown, "port other not found"},
		{"http, an error", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: at(port), Path: "/fail"}}, probe.Failure, "HTTP probe failed with statuscode: 503"},
		{"http, nobody there", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: at(none)}}, probe.Failure, "connection refused"},
		{"tcp", corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("web")}}, probe.Success, ""},
		{"tcp, nobody there", corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("none")}}, probe.Failure, "connection refused"},
		{"tcp, no such name", corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("other")}}, probe.Unknown, "port other not found"},
		{"grpc, nobody there", corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: none}}, probe.Failure, "refused"},
		{"exec, its image is gone", corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}, probe.Unknown, "its image is gone"},
	} {
		if result, text := pr.hostPod(tc.h, named...).Check(t.Context()); result != tc.want || !strings.Contains(text, tc.text) {
			t.Errorf("%s: %s %q, want %s %q", tc.name, result, text, tc.want, tc.text)
		}
	}
	// The head is a kubelet's, unless the manifest says otherwise.
	pr.hostPod(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: at(port), Path: "/p", HTTPHeaders: []corev1.HTTPHeader{
		{Name: "Host", Value: "shop.example"}, {Name: "X-Key", Value: "1"}, {Name: "X-Key", Value: "2"},
	}}}).Check(t.Context())
	if asked.URL.Path != "/p" || asked.Host != "shop.example" || len(asked.Header["X-Key"]) != 2 || !strings.HasPrefix(asked.UserAgent(), "kube-probe/") {
		t.Errorf("asked for %s of %s: %v", asked.URL, asked.Host, asked.Header)
	}
}

// A hook over HTTP has succeeded once it is answered, whatever the answer is; one over TCP once the connection stands.
func TestNetworkHooks(t *testing.T) {
	port, asked := server(t)
	none := closed(t)
	for _, tc := range []struct {
		name string
		h    corev1.LifecycleHandler
		ok   bool
	}{
		{"http", corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(port), Path: "/bye"}}, true},
		{"http, an error", corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(port), Path: "/fail"}}, true},
		{"http, nobody there", corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(none)}}, false},
		{"http, no such port", corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("x")}}, false},
		{"tcp", corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}}, true},
		{"tcp, nobody there", corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(none)}}, false},
		{"tcp, no such port", corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("x")}}, false},
		{"sleep", corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 0}}, true},
	} {
		ended := make(chan HookEnded, 1)
		pr, _ := noProbes(t)
		pr.HookEnded = func(e HookEnded) { ended <- e }
		rec, c := hooked(state.ContainerPreStop, tc.h)
		rec.Object.Spec.HostNetwork = true
		pr.StartHook(&Pod{}, rec, c)
		select {
		case e := <-ended:
			if (e.Err == nil) != tc.ok {
				t.Errorf("%s: %v", tc.name, e.Err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: does not end", tc.name)
		}
	}
	if !strings.HasPrefix(asked.UserAgent(), "kube-lifecycle/") {
		t.Errorf("hooks ask as %q", asked.UserAgent())
	}
}

// Pods in the host's network are asked at the address that the board has now, and at its loopback while it has none.
func TestHostAddress(t *testing.T) {
	pr, _ := noProbes(t)
	host := pr.hostPod(corev1.ProbeHandler{}).target.host
	for _, ip := range []string{"", "192.0.2.7", "192.0.2.8", ""} {
		pr.SetHostAddress(ip)
		want := ip
		if ip == "" {
			want = "127.0.0.1"
		}
		if got := host(); got != want {
			t.Errorf("with the address %q they are asked at %s", ip, got)
		}
	}
}
