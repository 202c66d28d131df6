package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cgroups"
	"podd/runtime/container"
	"podd/runtime/container/lsm"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
	"podd/runtime/volume"
)

// tree is the tree of cgroups in memory. It notes what is set, in order.
type tree struct {
	sets []string
	fail string // of what is set
}

func (c *tree) EnsurePod(uid, qos string, r cgroups.Resources) (string, error) {
	c.sets = append(c.sets, fmt.Sprintf("pod %d %d", r.CPUQuotaUS, r.MemoryLimit))
	if c.fail == "pod" && len(c.sets) == 1 {
		return "", errors.New("children have more")
	}
	return qos + "/" + uid, nil
}

func (c *tree) Resize(path string, r cgroups.Resources) error {
	c.sets = append(c.sets, fmt.Sprintf("%s %d %d", filepath.Base(path), r.CPUQuotaUS, r.MemoryLimit))
	if c.fail == filepath.Base(path) {
		return errors.New("memory is in use")
	}
	return nil
}

func (c *tree) Warm()                 {}
func (c *tree) Version() int          { return 2 }
func (c *tree) Controllers() []string { return []string{"cpu", "memory", "hugetlb"} }

// runningIO is the process of a container. It notes its signals.
type runningIO struct {
	ContainerIO
	signals []unix.Signal
	err     error
}

func (r *runningIO) Signal(s unix.Signal) error {
	r.signals = append(r.signals, s)
	return r.err
}
func (r *runningIO) Finish() error                                  { return nil }
func (r *runningIO) Ended() bool                                    { return true }
func (r *runningIO) Attach(context.Context, stdio.Attachment) error { return nil }

// inMemory is an executor whose folders are temporary and whose kernel is c.
func inMemory(t *testing.T, c *tree) *Executor {
	t.Helper()
	dir := t.TempDir()
	paths := state.Paths{Run: filepath.Join(dir, "run"), Root: filepath.Join(dir, "lib"), Logs: filepath.Join(dir, "log")}
	if err := errors.Join(os.MkdirAll(paths.Sandbox("u"), 0o700), os.MkdirAll(paths.Logs, 0o700)); err != nil {
		t.Fatal(err)
	}
	engine := &container.Engine{
		StateDir: filepath.Join(dir, "run/containers"), IODir: filepath.Join(dir, "run/io"), MountDir: filepath.Join(dir, "run/roots"),
		RootDir: filepath.Join(dir, "lib/containers"), RemoveTree: os.RemoveAll, Modules: lsm.Machine{Root: dir}, // which has none
	}
	return New(Executor{
		Paths: paths, Cgroups: c, LogFolders: LogFolders{paths}, NodeName: "board", Log: slog.New(slog.DiscardHandler),
		Engine: engine, Sandboxes: &sandbox.Manager{Engine: engine},
		Volumes:     &volume.Dirs{Disk: filepath.Join(dir, "lib/pods"), Memory: filepath.Join(dir, "run/volumes")},
		Allocatable: func() corev1.ResourceList { return nil }, Restored: func(error, string) {},
	})
}

// podOf is the record of a pod with containers of these names, all of which run.
func podOf(names ...string) *state.Record {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u", Labels: map[string]string{"app": "web"}}}
	for _, name := range names {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: "app"})
	}
	rec := state.NewRecord("u", p, state.Instant{})
	rec.State = state.PodRunning
	rec.Sandbox.CgroupPath = "/pods/u"
	for _, c := range rec.Containers {
		c.State, c.Attempt, c.PID = state.ContainerRunning, 0, 42
	}
	return rec
}

func (x *Executor) outcomes(o *Operation) []string {
	var list []string
	x.Run(o, func(out Outcome) {
		is := "ok"
		switch {
		case errors.Is(out.Failure(), ErrSkipped):
			is = "skipped"
		case out.Failure() != nil:
			is = "failed"
		}
		list = append(list, out.String()+": "+is)
	})
	return list
}

// After a failure only cleaning goes on: nothing starts without what it needs, and nothing that is to end goes on running. What
// stands alone keeps nothing else back.
func TestRunAfterAFailure(t *testing.T) {
	missing := corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}
	start, stop, kill := plan.StartContainer{Name: "a", Attempt: 1}, plan.StopContainer{Name: "b"}, plan.KillContainer{Name: "b"}
	for _, tc := range []struct {
		name    string
		actions []plan.Action
		want    string
	}{
		{"no volumes, no start", []plan.Action{plan.EnsureVolumes{}, start, stop, kill}, "failed skipped ok ok"},
		{"a start that fails keeps no other back", []plan.Action{plan.BeginStop{}, start, plan.StartContainer{Name: "b", Attempt: 1}, stop}, "ok failed failed ok"},
		{"a stop that fails keeps back what is to follow it", []plan.Action{plan.StopContainer{Name: "c"}, kill, plan.Finish{}, plan.Forget{}}, "failed ok skipped skipped"},
		{"a resize stands alone", []plan.Action{plan.ResizePod{}, stop}, "failed ok"},
		{"all is well", []plan.Action{plan.MeasureVolumes{}, plan.RefreshVolumes{}, stop, plan.Finish{}}, "ok ok ok ok"},
	} {
		c := &tree{fail: "u.b.0"}
		x := inMemory(t, c)
		rec := podOf("a", "b", "c")
		if strings.HasPrefix(tc.name, "no volumes") {
			rec.Object.Spec.Volumes = []corev1.Volume{missing}
		}
		b := &runningIO{}
		o := &Operation{Record: rec, Actions: tc.actions, IO: map[string]ContainerIO{"b": b, "c": &runningIO{err: errors.New("EPERM")}}}
		o.Inputs.Claims = map[string]ClaimFolder{"data": {Err: errors.New(`persistentvolumeclaim "data" not found`)}}
		o.Inputs.StopSignals = map[string]string{"b": "SIGQUIT"}
		got := x.outcomes(o)
		var is []string
		for i, line := range got {
			if !strings.HasPrefix(line, tc.actions[i].String()+": ") {
				t.Errorf("%s: outcome %d is of %s", tc.name, i, line)
			}
			is = append(is, line[strings.LastIndex(line, " ")+1:])
		}
		if strings.Join(is, " ") != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, got, tc.want)
		}
		if slices.Contains(tc.actions, plan.Action(stop)) && (len(b.signals) == 0 || b.signals[0] != unix.SIGQUIT) {
			t.Errorf("%s: asked to stop by %v", tc.name, b.signals)
		}
		if len(x.slots) != 0 {
			t.Errorf("%s: the operation keeps its place", tc.name)
		}
	}
}

// The container's signal counts, then TERM; a container without a process is not signalled, and that is no failure.
func TestStopSignal(t *testing.T) {
	x := inMemory(t, &tree{})
	for signal, want := range map[string]unix.Signal{"": unix.SIGTERM, "SIGUSR1": unix.SIGUSR1, "INT": unix.SIGINT, "9": unix.SIGKILL, "nonsense": unix.SIGTERM} {
		io := &runningIO{}
		o := &Operation{Record: podOf("a"), Actions: []plan.Action{plan.StopContainer{Name: "a"}}, IO: map[string]ContainerIO{"a": io}, Inputs: Inputs{StopSignals: map[string]string{"a": signal}}}
		x.Run(o, func(out Outcome) {
			if s := out.(ContainerStopped).Signal; s != want || len(io.signals) != 1 || io.signals[0] != want {
				t.Errorf("%q: sent %v, told %v", signal, io.signals, s)
			}
		})
	}
	gone := &Operation{Record: podOf("a"), Actions: []plan.Action{plan.StopContainer{Name: "a"}, plan.KillContainer{Name: "a"}}}
	if got := x.outcomes(gone); strings.Count(strings.Join(got, "\n"), ": ok") != 2 {
		t.Errorf("%v", got)
	}
}

// A container's end is read before its remains go, and once more when they could not.
func TestCollect(t *testing.T) {
	for _, tc := range []struct {
		name, file, log, policy string
		code                    int
		want                    string
	}{
		{"its file", "why", "a line", "File", 1, "why"},
		{"no file", "", "a line", "File", 1, ""},
		{"its log", "", "a line", "FallbackToLogsOnError", 1, "a line\n"},
		{"its file before its log", "why", "a line", "FallbackToLogsOnError", 1, "why"},
		{"it has ended well", "", "a line", "FallbackToLogsOnError", 0, ""},
		{"a long file", strings.Repeat("x", 5000), "", "File", 1, strings.Repeat("x", 4096)},
		{"a long log", "", strings.Repeat("y", 4000), "FallbackToLogsOnError", 1, strings.Repeat("y", 2047) + "\n"},
	} {
		x := inMemory(t, &tree{})
		rec := podOf("a")
		rec.Object.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessagePolicy(tc.policy)
		rec.Container("a").State, rec.Container("a").Ended = state.ContainerExited, &state.Termination{Code: tc.code}
		file, env, log := x.Paths.TerminationLog("u", "a", 0), x.Paths.Env("u", "a", 0), x.Paths.Log(rec, "a", 0)
		if tc.log != "" {
			tc.log = "2026-11-01T00:00:00.000000000Z stdout F " + tc.log + "\n"
		}
		err := errors.Join(os.MkdirAll(filepath.Dir(log), 0o700), os.WriteFile(file, []byte(tc.file), 0o600), os.WriteFile(env, nil, 0o600), os.WriteFile(log, []byte(tc.log), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		o := &Operation{Record: rec, Actions: []plan.Action{plan.CollectContainer{Name: "a"}}, IO: map[string]ContainerIO{"a": &runningIO{}}}
		x.Run(o, func(out Outcome) {
			c := out.(ContainerCollected)
			if c.Err != nil || c.Message != tc.want {
				t.Errorf("%s: %.60q (%d bytes), %v", tc.name, c.Message, len(c.Message), c.Err)
			}
		})
		for _, path := range []string{file, env} {
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %s is left", tc.name, filepath.Base(path))
			}
		}
		if _, err := os.Stat(log); err != nil {
			t.Errorf("%s: its log: %v", tc.name, err)
		}
	}
}

// limits are those of a container.
func limits(cpu, memory string) corev1.ResourceRequirements {
	l := corev1.ResourceList{}
	if cpu != "" {
		l["cpu"] = resource.MustParse(cpu)
	}
	if memory != "" {
		l["memory"] = resource.MustParse(memory)
	}
	return corev1.ResourceRequirements{Limits: l}
}

// A pod that gets more gets it before its containers do, one that gets less after them. What does not run, or is to begin anew,
// takes its limits with its start.
func TestResize(t *testing.T) {
	const pod, a, b = "pod 200000 201326592", "u.a.0 150000 134217728", "u.b.0 50000 67108864"
	for _, tc := range []struct {
		name, fail string
		change     func(*state.Record)
		want       []string
		ok         bool
	}{
		{"more", "", nil, []string{pod, a, b}, true},
		{"less", "pod", nil, []string{pod, a, b, pod}, true},
		{"a container cannot take it", "u.b.0", nil, []string{pod, a, b}, false},
		{"one begins anew", "", func(r *state.Record) { r.Container("a").Changed = true }, []string{pod, b}, true},
	} {
		c := &tree{fail: tc.fail}
		x := inMemory(t, c)
		rec := podOf("a", "b", "idle")
		rec.Object.Spec.Containers[0].Resources, rec.Object.Spec.Containers[1].Resources = limits("1500m", "128Mi"), limits("500m", "64Mi")
		rec.Object.Spec.Containers = rec.Object.Spec.Containers[:2]
		rec.Containers = rec.Containers[:2]
		if tc.change != nil {
			tc.change(rec)
		}
		o := &Operation{Record: rec, Actions: []plan.Action{plan.ResizePod{}}, IO: map[string]ContainerIO{"a": &runningIO{}, "b": &runningIO{}}}
		x.Run(o, func(out Outcome) {
			if r := out.(PodResized); (r.Err == nil) != tc.ok || r.Object != rec.Object {
				t.Errorf("%s: %v", tc.name, r.Err)
			}
		})
		if !slices.Equal(c.sets, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, c.sets, tc.want)
		}
	}
	spec := &corev1.Container{Resources: limits("250m", "")}
	if r := containerResources(spec); r.CPUShares != cgroups.MilliCPUToShares(250) || r.CPUQuotaUS != 25000 || r.CPUPeriodUS != 100000 || r.MemoryLimit != 0 {
		t.Errorf("a limit is the request that is not made: %+v", r)
	}
	spec.Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("0")}
	if r := containerResources(spec); r.CPUShares != cgroups.MilliCPUToShares(0) {
		t.Errorf("a request of 0 is one: %+v", r)
	}
}

// The environment of a container: what its manifest says, what it refers to, Services, and what devices bring. It is kept for
// commands that are run in the container later, and only where the manifest does not say it all.
func TestResolveEnv(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a")
	rec.Sandbox.IP = "10.1.2.3"
	c := &rec.Object.Spec.Containers[0]
	op := &run{x, &Operation{Record: rec}}
	op.Inputs.Objects = Objects{
		ConfigMaps: map[string]*corev1.ConfigMap{"app": {Data: map[string]string{"MODE": "fast"}}},
		Secrets:    map[string]*corev1.Secret{"key": {Data: map[string][]byte{"k": []byte("s")}}, "locked": {}},
		Locked:     map[string]error{"locked": errors.New("no identity opens it")},
	}
	c.Env = []corev1.EnvVar{{Name: "A", Value: "1"}}
	if vars, err := op.resolveEnv("a", 0, nil); vars != nil || err != nil {
		t.Errorf("a manifest that says it all: %v, %v", vars, err)
	}
	if _, err := os.Stat(x.Paths.Env("u", "a", 0)); err == nil {
		t.Error("it is kept, too")
	}
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	c.Env = []corev1.EnvVar{
		{Name: "MODE_OF", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "app"}, Key: "MODE"}}},
		{Name: "IP", ValueFrom: field("status.podIP")},
		{Name: "NODE", ValueFrom: field("spec.nodeName")},
		{Name: "UID", ValueFrom: field("metadata.uid")},
		{Name: "APP", ValueFrom: field("metadata.labels['app']")},
		{Name: "URL", Value: "http://$(IP)/$(MODE_OF)"},
	}
	vars, err := op.resolveEnv("a", 1, []corev1.EnvVar{{Name: "GPU", Value: "0"}})
	want := "[{MODE_OF fast nil} {IP 10.1.2.3 nil} {NODE board nil} {UID u nil} {APP web nil} {URL http://10.1.2.3/fast nil} {GPU 0 nil}]"
	if err != nil || fmt.Sprint(vars) != want {
		t.Errorf("%v, %v", vars, err)
	}
	if saved := x.savedEnv("u", "a", 1); fmt.Sprint(saved) != want {
		t.Errorf("kept: %v", saved)
	}
	if info, err := os.Stat(x.Paths.Env("u", "a", 1)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it may hold secrets, and has mode %v, %v", info.Mode(), err)
	}
	for name, says := range map[string]string{"none": `secret "none" not found`, "locked": "no identity opens it"} {
		c.Env = []corev1.EnvVar{{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "k"}}}}
		if _, err := op.resolveEnv("a", 2, nil); err == nil || !strings.Contains(err.Error(), says) || !errors.Is(err, errConfigOf) {
			t.Errorf("secret %s: %v", name, err)
		}
	}
	var lost []string
	x.Restored = func(_ error, what string) { lost = append(lost, what) }
	if vars := x.savedEnv("u", "a", 9); vars != nil || len(lost) != 1 || !strings.Contains(lost[0], "container a") {
		t.Errorf("of an environment that is gone: %v, %v", vars, lost)
	}
}

// Which part of a volume a mount shows: never one that leads out of it.
func TestSubPaths(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a")
	rec.Object.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "NAME", Value: "web-0"}, {Name: "EVIL", Value: "../x"}, {Name: "ROOT", Value: "/etc"}}
	c := x.config(rec)
	for _, tc := range []struct{ path, expr, want, fails string }{
		{"", "", "", ""},
		{"a/b", "", "a/b", ""},
		{"", "logs/$(NAME)", "logs/web-0", ""},
		{"", "$(EVIL)", "", "must not contain '..'"},
		{"", "$(ROOT)", "", "must not be an absolute path"},
		{"", "$(NONE)", "", "NONE"},
		{"a/../b", "", "", "must not contain '..'"},
		{"..", "", "", "must not contain '..'"},
		{"..a/b..", "", "..a/b..", ""},
	} {
		got, err := subPathOf(c, &corev1.VolumeMount{SubPath: tc.path, SubPathExpr: tc.expr})
		if got != tc.want || (err != nil) != (tc.fails != "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
	}
}

// A container that looks into another sees the processes of that one; not where it sees them anyhow, and not while it does not run.
func TestTargetProcesses(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a", "b")
	rec.AddEphemeral([]corev1.EphemeralContainer{{TargetContainerName: "a", EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}}})
	op := &run{x, &Operation{Record: rec}}
	for _, tc := range []struct {
		name, own string
		host      bool
		target    state.ContainerState
		want      string
		ok        bool
	}{
		{"b", "", false, state.ContainerRunning, "", true},
		{"debug", "", false, state.ContainerRunning, "/proc/42/ns/pid", true},
		{"debug", "/proc/7/ns/pid", false, state.ContainerRunning, "/proc/7/ns/pid", true},
		{"debug", "", true, state.ContainerRunning, "", true},
		{"debug", "", false, state.ContainerCollected, "", false},
	} {
		rec.Object.Spec.HostPID, rec.Container("a").State = tc.host, tc.target
		if got, err := op.targetProcesses(tc.name, tc.own); got != tc.want || (err == nil) != tc.ok {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
	}
}

// The folder of a claim is made at its first use; a folder of the host is never made, and what stands for the claim's trouble is told.
func TestClaimFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volumes")
	made := ClaimFolder{Dir: dir, Folder: filepath.Join(dir, "default_data")}
	for range 2 {
		if folder, err := made.ensure(); err != nil || folder != made.Folder {
			t.Fatalf("%s, %v", folder, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others see which claims there are: %v, %v", info.Mode(), err)
	}
	host := filepath.Join(dir, "of the host")
	if _, err := (ClaimFolder{Folder: host}).ensure(); err == nil || err.Error() != fmt.Sprintf("path %q does not exist", host) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(host); err == nil {
		t.Error("a folder of the host was made")
	}
	if folder, err := (ClaimFolder{Folder: made.Folder}).ensure(); err != nil || folder != made.Folder {
		t.Errorf("%s, %v", folder, err)
	}
}

// Who may pass quotas is measured, whatever the file system holds: a privileged container, and one with CAP_SYS_RESOURCE.
func TestWhoPassesQuotas(t *testing.T) {
	yes, no := true, false
	caps := func(list ...corev1.Capability) *corev1.SecurityContext {
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: list}}
	}
	for i, tc := range []struct {
		sc   *corev1.SecurityContext
		want bool
	}{
		{nil, false},
		{&corev1.SecurityContext{Privileged: &no}, false},
		{&corev1.SecurityContext{Privileged: &yes}, true},
		{caps("NET_ADMIN"), false},
		{caps("NET_ADMIN", "SYS_RESOURCE"), true},
		{caps("cap_sys_resource"), true},
		{caps("all"), true},
		{&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"SYS_RESOURCE"}}}, false},
	} {
		for _, spec := range []corev1.PodSpec{{Containers: []corev1.Container{{}, {SecurityContext: tc.sc}}}, {InitContainers: []corev1.Container{{SecurityContext: tc.sc}}}} {
			if exceeds(&spec) != tc.want {
				t.Errorf("%d: %t", i, !tc.want)
			}
		}
	}
}

// What emptyDirs take is measured, and the one that takes too much is named in the kubelet's words.
func TestMeasureVolumes(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a")
	one, mega := resource.MustParse("4Ki"), resource.MustParse("1Mi")
	memory := corev1.StorageMediumMemory
	rec.Object.Spec.Volumes = []corev1.Volume{
		{Name: "small", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &one}}},
		{Name: "large", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &mega}}},
		{Name: "free", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "ram", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &one, Medium: memory}}},
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
	}
	for i, v := range rec.Object.Spec.Volumes {
		if want := []int64{4096, 1 << 20, 0, 0, 0}[i]; DiskLimit(&v) != want {
			t.Errorf("%s may have %d bytes of the disk", v.Name, DiskLimit(&v))
		}
	}
	op := &run{x, &Operation{Record: rec}}
	for i, tc := range []struct {
		bytes  int
		excess string
	}{{1000, ""}, {100_000, `Usage of EmptyDir volume "small" exceeds the limit "4Ki". `}} {
		for _, name := range []string{"small", "large", "free"} {
			dir, _, err := op.volumePath(name)
			if err == nil {
				err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), make([]byte, tc.bytes), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		out, err := op.measureVolumes()
		if err != nil || out.Held || out.Excess != tc.excess || out.Used < int64(2*tc.bytes) || out.Used > int64(2*tc.bytes)+64<<10 {
			t.Errorf("%d: %+v, %v", i, out, err)
		}
	}
	rec.Object.Spec.Volumes = rec.Object.Spec.Volumes[2:]
	if out, err := op.measureVolumes(); err != nil || !out.Held {
		t.Errorf("a pod without limits is measured for ever: %+v, %v", out, err)
	}
	if _, _, err := op.volumePath("none"); err == nil {
		t.Error("there is a volume of any name")
	}
	if _, err := op.volumeFile("config", "key"); err == nil || !strings.Contains(err.Error(), "must be of type emptyDir") {
		t.Errorf("a file of another volume: %v", err)
	}
}
