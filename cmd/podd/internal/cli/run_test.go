package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/runtime/api/apitest"
)

func TestRunPrintsAPod(t *testing.T) {
	socket := apitest.Serve(t, apitest.New())
	run := func(args ...string) result {
		return podd(t, strings.NewReader(""), append([]string{"--socket", socket, "run", "--manifests", t.TempDir()}, args...)...)
	}
	got := run("web", "--image=nginx:1", "--env=A=b=c", "--port=80", "--labels=app=web,tier=x", "--restart=OnFailure", "--dry-run=client", "-o", "yaml", "--", "-g", "x y")
	want := `apiVersion: v1
kind: Pod
metadata:
  labels:
    app: web
    tier: x
  name: web
  namespace: default
spec:
  containers:
  - args:
    - -g
    - x y
    env:
    - name: A
      value: b=c
    image: nginx:1
    name: web
    ports:
    - containerPort: 80
    resources: {}
  restartPolicy: OnFailure
`
	if strings.TrimSuffix(got.stdout, "status: {}\n") != want || got.code != 0 {
		t.Errorf("%s\n%+v", got.stdout, got)
	}
	if got := run("web", "--image=nginx", "--dry-run", "-o", "yaml", "--command", "--", "sleep", "1"); !strings.Contains(got.stdout, "command:\n    - sleep\n") || !strings.Contains(got.stdout, "run: web") {
		t.Errorf("%+v", got)
	}
	if got := run("web", "--image=nginx", "--dry-run", "-o", "yaml", "--privileged", "--annotations=a=1,b/c=x=y", "--annotations=d="); got.code != 0 ||
		!strings.Contains(got.stdout, "annotations:\n    a: \"1\"\n    b/c: x=y\n    d: \"\"\n") || !strings.Contains(got.stdout, "securityContext:\n      privileged: true\n") {
		t.Errorf("%+v", got)
	}
	for args, says := range map[string]string{
		"web --image=x --annotations=a --dry-run": "--annotations must be KEY=VALUE",
		"--image=x":                                               "NAME is required for run",
		"a b --image=x":                                           "name one pod",
		"Web --image=x --dry-run":                                 "Web",
		"web --image=x --env=A --dry-run":                         "--env must be NAME=VALUE",
		"web --image=x --labels=A":                                "--labels must be KEY=VALUE",
		"web --image=x --dry-run=server":                          "--dry-run must be none or client",
		"web --image=x --restart=Sometimes":                       "restartPolicy",
		"web --image=x -o yaml":                                   "-o goes with --dry-run=client",
		"web --image=x --rm --restart=Always":                     "--rm needs a pod that ends",
		"web --image=x -t":                                        "-i/--stdin is required for containers with -t/--tty=true",
		"web --image=x -i --dry-run":                              "--dry-run can't be used with attached containers",
		"web --image=x --expose":                                  "--port must be set when exposing a service",
		"web --image=x --overrides=[1]":                           "--overrides must be one JSON object",
		"web --image=x --overrides=null":                          "--overrides must be one JSON object",
		`web --image=x --overrides={"spec":{"hostNetwrok":true}}`: "hostNetwrok",
		`web --image=x --overrides={"metadata":{"name":"other"}}`: "Pod default/web, not Pod default/other",
		`web --image=x --overrides={} --override-type=strategic`:  "--override-type must be merge",
		"web --image=x --attach --pod-running-timeout=-1s":        "--pod-running-timeout must be higher than zero",
	} {
		if got := run(words(args)...); got.code == 0 || !strings.Contains(got.stderr, says) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// A manifest goes into the folder, and takes the place of no other.
func TestRunWritesAManifest(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) result {
		return podd(t, strings.NewReader(""), append([]string{"run", "--manifests", dir, "--socket", filepath.Join(dir, "none")}, args...)...)
	}
	// podd would read a file of that name, and take it for another pod's.
	visible := filepath.Join(dir, "web.yaml.tmp")
	if err := os.Mkdir(visible, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := run("web", "--image=nginx"); got.code != 0 || got.stdout != "pod/web created\n" {
		t.Fatalf("%+v", got)
	}
	if err := os.Remove(visible); err != nil {
		t.Error("the manifest had a name that is not hidden for a moment")
	}
	data, err := os.ReadFile(filepath.Join(dir, "web.yaml"))
	if err != nil || !strings.Contains(string(data), "image: nginx\n") {
		t.Errorf("%s, %v", data, err)
	}
	if got := run("web", "--image=other"); got.code == 0 || !strings.Contains(got.stderr, `pods "web" already exists`) {
		t.Errorf("%+v", got)
	}
	if got := run("web", "--image=other", "-n", "team"); got.code != 0 {
		t.Errorf("in another namespace: %+v", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("%v", left)
	}
}

// A Service for the port, and what the flags have no word for.
func TestRunExposesAndOverrides(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) result {
		return podd(t, strings.NewReader(""), append([]string{"run", "web", "--image=nginx", "--manifests", dir, "--socket", filepath.Join(dir, "none")}, args...)...)
	}
	got := run("--port=80", "--expose", "--labels=app=web", `--overrides={"metadata":{"labels":{"app":null,"b":"c"}},"spec":{"hostNetwork":true,"restartPolicy":null}}`, "--dry-run", "-o", "yaml")
	for _, want := range []string{
		"kind: Service\nmetadata:\n  name: web\n  namespace: default\nspec:\n  ports:\n  - port: 80\n    protocol: TCP\n    targetPort: 80\n  selector:\n    app: web\n",
		"---\napiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    b: c\n  name: web\n  namespace: default\nspec:\n  containers:\n",
		"  hostNetwork: true\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%s\nis not in %s\n%+v", want, got.stdout, got)
		}
	}
	if strings.Contains(got.stdout, "restartPolicy") {
		t.Error("null removes no field")
	}
	if got := run("--port=80", "--expose", "--dry-run"); got.stdout != "service/web created (dry run)\npod/web created (dry run)\n" {
		t.Errorf("%+v", got)
	}
	if got := run("--port=80", "--expose", "--dry-run", "-o", "json"); strings.Count(got.stdout, `"apiVersion": "v1"`) != 2 {
		t.Errorf("%+v", got)
	}
	if got := run("--port=80", "--expose"); got.stdout != "service/web created\npod/web created\n" {
		t.Errorf("%+v", got)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "web.yaml")); err != nil || strings.Count(string(data), "\nkind: ") != 2 {
		t.Errorf("%s, %v", data, err)
	}
}
