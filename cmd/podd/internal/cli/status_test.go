package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/apitest"
)

func TestStatus(t *testing.T) {
	fake := apitest.New(apitest.Pod("a"))
	socket := apitest.Serve(t, fake)
	got := podd(t, nil, "status", "--socket", socket)
	if got.code != 0 || !strings.Contains(got.stdout, "board, well") || !strings.Contains(got.stdout, "1, 0 not ready") {
		t.Errorf("of a sound board: %+v", got)
	}
	fake.Node().Status.Conditions = append(fake.Node().Status.Conditions,
		corev1.NodeCondition{Type: "podd.dev/NetworkReady", Status: corev1.ConditionFalse, Message: "no \x1b forwarding"})
	waiting := apitest.Pod("w")
	waiting.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
	fake = apitest.New(apitest.Pod("a"), waiting)
	got = podd(t, nil, "status", "--socket", apitest.Serve(t, fake))
	if got.code != 1 || !strings.Contains(got.stdout, "default/w: CrashLoopBackOff, 0/1 ready") || strings.Contains(got.stdout, "default/a") {
		t.Errorf("with a pod that crashes: %+v", got)
	}
	if got = podd(t, nil, "status", "--socket", socket); got.code != 1 || !strings.Contains(got.stdout, "podd.dev/NetworkReady is False: no ^[ forwarding") {
		t.Errorf("without a network: %+v", got)
	}
	// A board on which all runs and an edit of a workload was refused does not do what its folder says.
	fake = apitest.New(apitest.Pod("a"))
	fake.Problems = []string{"front.yaml: Deployment default/front: spec.replicas: no \x1b number"}
	got = podd(t, nil, "status", "--socket", apitest.Serve(t, fake))
	if got.code != 3 || !strings.Contains(got.stdout, "front.yaml: Deployment default/front: spec.replicas: no ^[ number\n") || got.stderr != "" {
		t.Errorf("with an edit that was refused: %+v", got)
	}
	fake = apitest.New(waiting)
	fake.Problems = []string{"front.yaml: bad"}
	if got = podd(t, nil, "status", "--socket", apitest.Serve(t, fake)); got.code != 1 {
		t.Errorf("with a pod that crashes and an edit that was refused: %+v", got)
	}
	if got = podd(t, nil, "status", "--socket", filepath.Join(t.TempDir(), "none")); got.code != 1 || !strings.Contains(got.stderr, "no podd answers") {
		t.Errorf("without a daemon: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	socket := apitest.Serve(t, apitest.New())
	got := podd(t, nil, "version", "--socket", socket)
	if got.code != 0 || !strings.HasPrefix(got.stdout, "Client: podd v0.1.0-dev linux/") || !strings.Contains(got.stdout, "\nServer: podd v") {
		t.Errorf("%+v", got)
	}
	if got := podd(t, nil, "version", "--client", "--socket", socket); strings.Contains(got.stdout, "Server") {
		t.Errorf("%+v", got)
	}
	if got := podd(t, nil, "version", "--socket", "/nowhere"); got.code != 0 || !strings.Contains(got.stdout, "Server: none answers on /nowhere") {
		t.Errorf("%+v", got)
	}
	if got := podd(t, nil, "--version"); got.code != 0 || got.stdout != "podd version v0.1.0-dev\n" {
		t.Errorf("%+v", got)
	}
}

func TestRestart(t *testing.T) {
	for _, tc := range []struct {
		args, asked string
		want        result
	}{
		{"a", "default/a", result{"pod \"a\" restarting\n", "", 0}},
		{"pod/b -n kiosk --now", "kiosk/b 1", result{"pod \"b\" restarting\n", "", 0}},
		{"pod a --grace-period 5", "default/a 5", result{"pod \"a\" restarting\n", "", 0}},
		{"a none", "default/a", result{"pod \"a\" restarting\n", "Error from server (NotFound): pods \"none\" not found\n", 1}},
		{"cm/a", "", result{"", "error: configmaps cannot be restarted: name a pod, deployment, statefulset or daemonset\n", 1}},
		{"", "", result{"", "error: name a pod or a workload to restart, as in podd restart POD or podd restart deployment/NAME\n", 1}},
	} {
		b := apitest.Pod("b")
		b.Namespace = "kiosk"
		d := &deletions{Fake: apitest.New(apitest.Pod("a"), b)}
		got := podd(t, nil, append([]string{"restart", "--socket", apitest.Serve(t, d)}, words(tc.args)...)...)
		if got != tc.want || d.asked != tc.asked {
			t.Errorf("%q: %+v, asked %q", tc.args, got, d.asked)
		}
	}
}

func TestInspect(t *testing.T) {
	socket := apitest.Serve(t, apitest.New(apitest.Pod("a"), apitest.Pod("b")))
	var list []struct {
		Kind     string
		Metadata metav1.ObjectMeta
	}
	got := podd(t, nil, "inspect", "a", "node/board", "--socket", socket)
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list) != 2 || list[0].Metadata.Name != "a" || list[1].Kind != "Node" {
		t.Errorf("%v %+v", err, got)
	}
	got = podd(t, nil, "inspect", "a", "nothing", "--socket", socket)
	if got.code != 1 || got.stderr != "error: there is no pod in namespace default and no image of the name \"nothing\"\n" || !strings.Contains(got.stdout, `"name": "a"`) {
		t.Errorf("%+v", got)
	}
	images := podd(t, nil, "images", "ls", "-o", "name", "--socket", socket)
	for _, name := range words(images.stdout) {
		if got := podd(t, nil, "inspect", name, "--socket", socket); got.code != 0 || !strings.Contains(got.stdout, name) {
			t.Errorf("image %s: %+v", name, got)
		}
	}
}

// TestHints: what users of kubectl, podman and docker type is a command, or says what podd has in its place.
func TestHints(t *testing.T) {
	const kubectl = `annotate api-resources api-versions apply attach auth autoscale certificate cluster-info completion config cordon cp create debug
		delete describe diff drain edit events exec explain expose get kustomize label logs options patch plugin port-forward proxy replace rollout
		scale set taint top uncordon version wait`
	const podman = `artifact attach auto-update build commit container cp create diff events exec export farm generate healthcheck history image images
		import info init inspect kill kube load login logout logs machine manifest mount network pause play pod port ps pull push quadlet rename
		restart rm rmi save search secret start stats stop system tag top umount unmount unpause unshare untag update volume wait
		compose stack swarm service context buildx builder up down ls`
	for _, name := range words(kubectl + " " + podman) {
		got := podd(t, nil, name, "-x", "thing")
		if got.code == 0 || strings.Contains(got.stderr, "unknown command") || strings.Contains(got.stderr, "Did you mean") {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.HasPrefix(got.stderr, "error: podd has no "+name) && !strings.Contains(got.stderr, "podd has no "+name+": ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if help := podd(t, nil, "--help").stdout; strings.Contains(help, "kustomize") {
		t.Errorf("help shows verbs that podd has not:\n%s", help)
	}
}

func TestDiskUse(t *testing.T) {
	root, logs := t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(logs, name), make([]byte, 100<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(logs, "a"), filepath.Join(logs, "c")); err != nil {
		t.Fatal(err)
	}
	got := podd(t, nil, "system", "df", "-o", "json", "--root", root, "--log-dir", logs, "--socket", apitest.Serve(t, apitest.New()))
	var rows []diskUse
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	last := rows[len(rows)-1]
	if last.Type != "Logs" || last.Count != 3 || last.Size < 200<<10 || last.Size >= 300<<10 {
		t.Errorf("%+v", last)
	}
	if got := podd(t, nil, "system", "df", "--root", root, "--log-dir", logs, "--socket", "/nowhere"); got.code != 0 || len(strings.Split(got.stdout, "\n")) != 7 {
		t.Errorf("%+v", got)
	}
}

// TestOneList: several types are one List.
func TestOneList(t *testing.T) {
	socket := apitest.Serve(t, apitest.New(apitest.Pod("a")))
	for _, what := range []string{"pods,nodes", "all"} {
		got := podd(t, nil, "get", what, "-o", "json", "--socket", socket)
		var list metav1.List
		if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || list.Kind != "List" || len(list.Items) == 0 || what != "all" && len(list.Items) != 2 {
			t.Errorf("%s: %v %+v", what, err, got)
		}
	}
}

// Tables of several types name their kinds, a type without objects has none, and names may be of several types.
func TestSeveralTables(t *testing.T) {
	socket := apitest.Serve(t, apitest.New(apitest.Pod("a"), apitest.Pod("b")))
	for args, want := range map[string][]string{
		"get pods,configmaps,nodes": {"NAME", "pod/a", "pod/b", "", "NAME", "node/"},
		"get pod/b node/board":      {"NAME", "pod/b", "", "NAME", "node/"},
		"get services,configmaps":   {"No resources found in default namespace."},
	} {
		got := podd(t, nil, append(words(args), "--socket", socket)...)
		lines := strings.Split(strings.TrimSuffix(got.all(), "\n"), "\n")
		if len(lines) != len(want) {
			t.Errorf("%s: %+v", args, got)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], want[i]) {
				t.Errorf("%s: line %d is %q, want %q", args, i, lines[i], want[i])
			}
		}
	}
	got := podd(t, nil, "get", "pods,nodes", "x", "--socket", socket)
	if want := "Error from server (NotFound): pods \"x\" not found\nError from server (NotFound): nodes \"x\" not found\n"; got.all() != want {
		t.Errorf("%+v", got)
	}
}
