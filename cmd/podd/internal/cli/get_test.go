package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"podd/runtime/api/apitest"
)

// podd prints what kubectl prints: the golden files are kubectl's own output.
func TestPrintsAsKubectl(t *testing.T) {
	socket := apitest.Serve(t, apitest.Shown())
	for _, v := range apitest.Views() {
		t.Run(v.Golden, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "runtime", "api", "testdata", "kubectl", v.Golden))
			if err != nil {
				t.Fatal(err)
			}
			got := podd(t, nil, append(words(v.Args), "--socket", socket)...)
			if got.all() != string(want) {
				t.Errorf("podd %s\ngot:\n%s\nwant:\n%s", v.Args, got.all(), want)
			}
			if fails := strings.HasPrefix(string(want), "Error"); fails != (got.code == 1) {
				t.Errorf("exit code %d", got.code)
			}
		})
	}
}

func TestGetObjects(t *testing.T) {
	socket := apitest.Serve(t, apitest.New(apitest.Pod("a"), apitest.Pod("b")))
	t.Run("yaml", func(t *testing.T) {
		var p corev1.Pod
		if err := yaml.Unmarshal([]byte(podd(t, nil, "get", "pod", "a", "-o", "yaml", "--socket", socket).stdout), &p); err != nil {
			t.Fatal(err)
		}
		if p.Kind != "Pod" || p.APIVersion != "v1" || p.Name != "a" || p.Status.PodIP != "10.88.0.2" {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("json list", func(t *testing.T) {
		var l corev1.PodList
		if err := json.Unmarshal([]byte(podd(t, nil, "get", "pods", "-o", "json", "--socket", socket).stdout), &l); err != nil {
			t.Fatal(err)
		}
		if l.Kind != "List" || len(l.Items) != 2 || l.Items[1].Kind != "Pod" || l.Items[1].Name != "b" {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("json list of none", func(t *testing.T) {
		got := podd(t, nil, "get", "pods", "-n", "nowhere", "-o", "json", "--socket", socket)
		if !strings.Contains(got.stdout, `"items": []`) || got.code != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestGetErrors(t *testing.T) {
	socket := apitest.Serve(t, apitest.New(apitest.Pod("a")))
	tests := []struct{ args, want string }{
		{"get pod a b", "NAME   READY   STATUS    RESTARTS   AGE\na      1/1     Running   0          3h\nError from server (NotFound): pods \"b\" not found\n"},
		{"get pod b c", "Error from server (NotFound): pods \"b\" not found\nError from server (NotFound): pods \"c\" not found\n"},
		{"get wolves", "error: podd has no resource type \"wolves\": it has pods, events, nodes, namespaces, configmaps, networkpolicies, secrets, persistentvolumeclaims, persistentvolumes, storageclasses, runtimeclasses, serviceaccounts, services, endpoints, endpointslices, deployments, replicasets, statefulsets, daemonsets, controllerrevisions, jobs, cronjobs, replicationcontrollers, podtemplates and poddisruptionbudgets, and what podd api-resources lists\n"},
		{"get pods -o table", "error: unable to match a printer suitable for the output format \"table\", allowed formats are: json,name,wide,yaml\n"},
		{"get pods -l a==b==c", "Error from server (BadRequest): found '==', expected: ',' or 'end of string'\n"},
		{"get pods --field-selector spec.color=red", "Error from server (BadRequest): field label not supported: spec.color\n"},
		{"get pod a -A", "error: a resource cannot be retrieved by name across all namespaces\n"},
		{"get pods --colour", "error: unknown flag: --colour\n"},
		{"describe secret none", "Error from server (NotFound): secrets \"none\" not found\n"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := podd(t, nil, append(words(tt.args), "--socket", socket)...)
			if got.all() != tt.want || got.code != 1 {
				t.Errorf("code %d, got:\n%s\nwant:\n%s", got.code, got.all(), tt.want)
			}
		})
	}
}

func TestNoDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "podd.sock")
	want := "error: no podd answers on " + socket + ": start it (systemctl start podd, or podd run), or name its socket with --socket\n"
	for _, args := range []string{"get pods", "describe pod x", "logs x", "exec x -- true", "get pods -w"} {
		got := podd(t, nil, append([]string{"--socket", socket}, words(args)...)...)
		if got.all() != want || got.code != 1 {
			t.Errorf("%s: code %d, got %q, want %q", args, got.code, got.all(), want)
		}
	}
}

func TestGetWatch(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	socket := apitest.Serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out buffer
	done := make(chan result, 1)
	go func() { done <- poddContext(t, ctx, &out, nil, "get", "pods", "-w", "--socket", socket) }()

	head := "NAME   READY   STATUS    RESTARTS   AGE\na      1/1     Running   0          3h\n"
	waitFor(t, func() bool { return out.String() == head })
	f.Put(apitest.Pod("b", func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0] = apitest.Waiting("app", "ContainerCreating", 0, apitest.Ago(0))
	}))
	next := head + "b      0/1     ContainerCreating   0          3h\n"
	waitFor(t, func() bool { return out.String() == next })
	f.Put(apitest.Pod("b"))
	next += "b      1/1     Running             0          3h\n"
	waitFor(t, func() bool { return out.String() == next })

	cancel()
	if r := <-done; r.code != exitInterrupted || r.stderr != "" {
		t.Errorf("after Ctrl-C: %+v", r)
	}
	if t.Failed() {
		t.Logf("got:\n%s", out.String())
	}
}

// waitFor polls until ok, at most for a while that no machine needs.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Error("waited in vain")
}
