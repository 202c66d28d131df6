package executor

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/container/spec"
	"podd/runtime/device"
	"podd/runtime/device/cdi"
	"podd/runtime/env"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// kernel is a tree of cgroups of some version with some controllers.
type kernel struct {
	tree
	version     int
	controllers []string
}

func (k *kernel) Version() int          { return k.version }
func (k *kernel) Controllers() []string { return k.controllers }

// What depends on the kernel is asked for where it can do it: all of a container ends together on version 2 with the controller
// of memory, as with a kubelet, and it has a cgroup namespace on version 2.
func TestConfigOfKernels(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		version        int
		controllers    []string
		group, cgroups bool
	}{
		{"version 2", 2, []string{"cpu", "memory"}, true, true},
		{"version 2 without memory", 2, []string{"cpu"}, false, true},
		{"version 1", 1, []string{"cpu", "memory", "hugetlb"}, false, false},
		{"none", 2, nil, false, true},
	} {
		x := inMemory(t, &tree{})
		x.Cgroups = &kernel{version: tc.version, controllers: tc.controllers}
		c := x.ContainerConfig(podOf("a"), "a", 3, images.Image{})
		if c.OOMGroup != tc.group || c.CgroupNS != tc.cgroups || c.ID != "u.a.3" || c.Container.Name != "a" {
			t.Errorf("%s: %+v", tc.name, c)
		}
		if !slices.Contains(tc.controllers, "hugetlb") && c.HugePages != nil {
			t.Errorf("%s: huge pages are limited to %v without a controller", tc.name, c.HugePages)
		}
	}
}

// An image comes to a container as it is, and the file behind terminationMessagePath only where there is one.
func TestConfigOfImages(t *testing.T) {
	t.Parallel()
	x := inMemory(t, &tree{})
	rec := podOf("a", "b")
	rec.Object.Spec.Containers[1].TerminationMessagePath = "/dev/termination-log"
	image := images.Image{ID: "sha256:1", Layers: []string{"/l1", "/l2"}}
	image.Config.User, image.Config.WorkingDir, image.Config.StopSignal = "web", "/srv", "SIGQUIT"
	image.Config.Entrypoint, image.Config.Cmd, image.Config.Env = []string{"/ep"}, []string{"cmd"}, []string{"A=1"}
	c := x.ContainerConfig(rec, "a", 0, image)
	want := spec.Image{ID: "sha256:1", User: "web", WorkingDir: "/srv", StopSignal: "SIGQUIT", Entrypoint: []string{"/ep"}, Cmd: []string{"cmd"}, Env: []string{"A=1"}, Layers: []string{"/l1", "/l2"}}
	if !reflect.DeepEqual(c.Image, want) || c.TerminationLog != "" || c.Pod != rec.Object {
		t.Errorf("%+v", c)
	}
	if got := x.ContainerConfig(rec, "b", 7, image).TerminationLog; got != x.Paths.TerminationLog("u", "b", 7) {
		t.Errorf("the message is in %q", got)
	}
}

// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
func TestOOMScore(t *testing.T) {
	t.Parallel()
	x := inMemory(t, &tree{})
	x.MemoryCapacity = 1 << 30
	guaranteed := podOf("a")
	guaranteed.Object.Spec.Containers[0].Resources = limits("1", "512Mi")
	guaranteed.Object.Spec.Containers[0].Resources.Requests = guaranteed.Object.Spec.Containers[0].Resources.Limits
	burstable := podOf("a")
	burstable.Object.Spec.Containers[0].Resources.Requests = limits("1", "512Mi").Limits
	for _, tc := range []struct {
		name  string
		rec   *state.Record
		floor int
		want  int
	}{
		{"best effort", podOf("a"), -1000, 1000},
		{"burstable, half of the board", burstable, -1000, 500},
		{"guaranteed", guaranteed, -1000, -997},
		{"as low as the kernel lets podd", guaranteed, -500, -500},
		{"a floor that is lower changes nothing", burstable, 499, 500},
	} {
		x.OOMScoreFloor = tc.floor
		if c := x.ContainerConfig(tc.rec, "a", 0, images.Image{}); c.OOMScoreAdj == nil || *c.OOMScoreAdj != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, *c.OOMScoreAdj, tc.want)
		}
	}
}

// Commands run as the container was started: with the environment that was resolved then and its user. What cannot be read any
// more is told, and they run without it.
func TestExecConfig(t *testing.T) {
	t.Parallel()
	x := inMemory(t, &tree{})
	var lost []string
	x.Restored = func(err error, what string) {
		if err == nil {
			t.Error("no error was told")
		}
		lost = append(lost, what)
	}
	rec := podOf("a")
	c := rec.Container("a")
	c.Attempt = 4
	vars := []corev1.EnvVar{{Name: "SECRET", Value: "$(A) größe\n"}, {Name: "EMPTY"}}
	if err := keepEnv(x.Paths.Env("u", "a", 4), vars); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(x.Paths.Env("u", "a", 4)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
	config := x.ExecConfig(rec, c, images.Image{})
	if !reflect.DeepEqual(config.Env, vars) || config.StartedAs != nil || config.ID != "u.a.4" || len(lost) != 0 {
		t.Errorf("%+v; lost %q", config, lost)
	}
	c.User = &state.UserRecord{UID: 7, GID: 8, Groups: []int64{8, 9}}
	if got := x.ExecConfig(rec, c, images.Image{}).StartedAs; !reflect.DeepEqual(got, &spec.User{UID: 7, GID: 8, Groups: []int64{8, 9}}) {
		t.Errorf("it runs as %+v", got)
	}
	if err := os.WriteFile(x.Paths.Env("u", "a", 4), []byte(`[{"name":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if config := x.ExecConfig(rec, c, images.Image{}); config.Env != nil || len(lost) != 1 || lost[0] != "commands and probes in container a run without the variables that come from elsewhere, until it starts again" {
		t.Errorf("%+v; lost %q", config.Env, lost)
	}
}

// Devices are named by the pod's annotations, its runtime handler and what it was allocated, and no spec is read for none.
func TestCDIDevicesOfAContainer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := `{"cdiVersion": "0.6.0", "kind": "v.com/c", "devices": [`
	for i, name := range []string{"annotated", "handled", "given", "none"} {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"name": %q, "containerEdits": {"env": ["D=%s"]}}`, name, name)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.json"), []byte(text+"]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := inMemory(t, &tree{})
	x.CDIDirs = []string{dir}
	op := &run{x, &Operation{Record: podOf("a", "b")}}
	if e, err := op.cdiEdits("a"); err != nil || e.Env != nil {
		t.Errorf("no devices: %+v, %v", e, err)
	}
	op.Record.Object.Annotations = map[string]string{"cdi.k8s.io/x": "v.com/c=annotated"}
	op.Record.Sandbox.Handler = &state.HandlerRecord{Handler: state.Handler{CDIDevices: []string{"v.com/c=handled"}}}
	op.Inputs.Devices = map[string][]device.Given{"b": {{Unit: device.Unit{CDI: "v.com/c=given"}}, {Unit: device.Unit{Source: "/dev/x"}}}}
	for name, want := range map[string][]string{"a": {"D=annotated", "D=handled"}, "b": {"D=annotated", "D=handled", "D=given"}} {
		if e, err := op.cdiEdits(name); err != nil || !slices.Equal(e.Env, want) {
			t.Errorf("container %s: %v, %v; want %v", name, e.Env, err, want)
		}
	}
	op.Record.Object.Annotations["cdi.k8s.io/x"] = "v.com/c=unplugged"
	if _, err := op.cdiEdits("a"); !errors.Is(err, cdi.ErrUnresolvable) || !strings.Contains(err.Error(), "unresolvable CDI devices v.com/c=unplugged") {
		t.Errorf("a device that no spec has: %v", err)
	}
}

// What a container mounts of the host's devices it gets as devices; one that is not there keeps it waiting, and all else is
// mounted as it is.
func TestMountsOfTheHost(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	gone := filepath.Join("/dev", "podd-test-no-such-device")
	yes := true
	for _, tc := range []struct {
		name       string
		path       string
		m          corev1.VolumeMount
		privileged bool
		device     *spec.Device
		mounted    bool
		bad        string
	}{
		{"a device", "/dev/null", corev1.VolumeMount{}, false, &spec.Device{Source: "/dev/null", Destination: "/at", Access: "rw"}, false, ""},
		{"a device, read-only", "/dev/null", corev1.VolumeMount{ReadOnly: true}, false, &spec.Device{Source: "/dev/null", Destination: "/at", Access: "r"}, false, ""},
		{"a device for a privileged container", "/dev/null", corev1.VolumeMount{}, true, &spec.Device{Source: "/dev/null", Destination: "/at", Access: "rw"}, false, ""},
		{"a folder", folder, corev1.VolumeMount{}, false, nil, true, ""},
		{"all devices", "/dev", corev1.VolumeMount{}, false, nil, true, ""},
		{"one that is not there", gone, corev1.VolumeMount{}, false, nil, false, "device " + gone + ` of volume "v" is not there`},
		{"another volume", folder, corev1.VolumeMount{Name: "w"}, false, nil, false, `container cannot be configured: the pod has no volume "w"`},
		{"a path that goes up", folder, corev1.VolumeMount{SubPath: "../x"}, false, nil, false, "container cannot be configured: unable to provision SubPath `../x`: must not contain '..'"},
		{"a path from the root", folder, corev1.VolumeMount{SubPath: "/x"}, false, nil, false, "container cannot be configured: error SubPath `/x` must not be an absolute path"},
		{"a variable that is not there", folder, corev1.VolumeMount{SubPathExpr: "$(B)$(A)"}, false, nil, false, "container cannot be configured: missing value for A, B"},
	} {
		x := inMemory(t, &tree{})
		var watched []string
		x.WatchDevice = func(path string) { watched = append(watched, path) }
		rec := podOf("a")
		rec.Object.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: tc.path}}}}
		if tc.m.Name == "" {
			tc.m.Name = "v"
		}
		tc.m.MountPath = "at"
		c := x.config(rec)
		c.Container.VolumeMounts = []corev1.VolumeMount{tc.m}
		if tc.privileged {
			c.Container.SecurityContext = &corev1.SecurityContext{Privileged: &yes}
		}
		release, err := (&run{x, &Operation{Record: rec}}).containerMounts(c, "a", 0)
		release()
		if got := fmt.Sprint(err); tc.bad == "" && err != nil || tc.bad != "" && got != tc.bad {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.bad)
		}
		if tc.bad != "" && errors.Is(err, spec.ErrConfig) != strings.HasPrefix(tc.bad, spec.ErrConfig.Error()) {
			t.Errorf("%s: a new try cures it: %v", tc.name, err)
		}
		if mounted := len(c.Mounts) == 1 && c.Mounts[0].Source == tc.path && c.Mounts[0].Destination == "at"; mounted != tc.mounted {
			t.Errorf("%s: mounts %+v", tc.name, c.Mounts)
		}
		if tc.device == nil && len(c.Devices) != 0 || tc.device != nil && !reflect.DeepEqual(c.Devices, []spec.Device{*tc.device}) {
			t.Errorf("%s: devices %+v", tc.name, c.Devices)
		}
		if want := strings.HasPrefix(tc.path, "/dev/"); (len(watched) > 0) != want {
			t.Errorf("%s: watched %v", tc.name, watched)
		}
	}
}

// What podd writes itself is shown from where it writes it, read-only; what a container is to fill can be written to.
func TestMountsOfPoddsOwn(t *testing.T) {
	t.Parallel()
	x := inMemory(t, &tree{})
	rec := podOf("a")
	rec.Object.Spec.Volumes = []corev1.Volume{
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "memory", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
		{Name: "claim", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}},
		{Name: "share", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "s"}}},
	}
	rec.Volumes.Folders = map[string]string{"claim": "/claims/default_c", "share": "nas:/x"}
	c := x.config(rec)
	for _, v := range rec.Object.Spec.Volumes {
		c.Container.VolumeMounts = append(c.Container.VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: "/" + v.Name})
	}
	release, err := (&run{x, &Operation{Record: rec}}).containerMounts(c, "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	release()
	want := []spec.Mount{
		{Source: x.Volumes.Disk + "/u/scratch", Destination: "/scratch"},
		{Source: x.Volumes.Memory + "/u/memory", Destination: "/memory"},
		{Source: x.Volumes.Memory + "/u/config", Destination: "/config", ReadOnly: true},
		{Source: "/claims/default_c", Destination: "/claim"},
		{Source: x.Volumes.SharePath("u", "share"), Destination: "/share"},
	}
	if !reflect.DeepEqual(c.Mounts, want) {
		t.Errorf("%+v\nwant %+v", c.Mounts, want)
	}
}

// The sentences about what is not there are the kubelet's; a Secret that cannot be read is another thing than none.
func TestObjectsOfAnOperation(t *testing.T) {
	t.Parallel()
	locked := errors.New("sealed for another board")
	o := Objects{ConfigMaps: map[string]*corev1.ConfigMap{"c": {}}, Secrets: map[string]*corev1.Secret{"s": {}, "l": {}}, Locked: map[string]error{"l": locked, "gone": locked}}
	if found, err := o.ConfigMap("c"); found == nil || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := o.Secret("s"); found == nil || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := o.Secret("l"); !errors.Is(err, locked) {
		t.Errorf("a locked one: %v", err)
	}
	_, err := o.ConfigMap("none")
	_, err2 := o.Secret("gone")
	if fmt.Sprint(err, "; ", err2) != `configmap "none" not found; secret "gone" not found` || !errors.Is(err, env.ErrNotFound) || !errors.Is(err2, env.ErrNotFound) {
		t.Errorf("%v, %v", err, err2)
	}
}

// Only a pod that was given ids of its own without asking is held to the owners of an image's files.
func TestOwnersOfImages(t *testing.T) {
	t.Parallel()
	owner := func(id uint32) *images.Image { return &images.Image{Layers: []string{"/l"}, Owners: []*uint32{&id}} }
	yes, no := true, false
	for _, tc := range []struct {
		name      string
		own       bool
		hostUsers *bool
		image     *images.Image
		bad       bool
	}{
		{"within", true, nil, owner(65535), false},
		{"beyond", true, nil, owner(65536), true},
		{"asked for", true, &no, owner(65536), false},
		{"the machine's", false, nil, owner(65536), false},
		{"the machine's, asked for", false, &yes, owner(65536), false},
	} {
		rec := podOf("a")
		rec.Sandbox.OwnUsers, rec.Object.Spec.HostUsers = tc.own, tc.hostUsers
		err := (&run{inMemory(t, &tree{}), &Operation{Record: rec}}).checkOwners("app:1", tc.image)
		var owners *sandbox.ImageOwnersError
		if errors.As(err, &owners) != tc.bad || tc.bad && (owners.Image != "app:1" || owners.Highest != 65536) || !tc.bad && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// However steps go: what is new is told, what is told is told once, the rest grows while one step fails and is never longer
// than a minute, and what goes well ends it.
func TestStepBackoffOfAnyRow(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	failures := []error{errors.New("full"), errors.New("busy"), nil, ErrSkipped}
	var b StepBackoff
	last, same, text := "", 0, ""
	for i := range 5000 {
		action, err := []string{"one", "two"}[random.IntN(2)], failures[min(random.IntN(40), 3)]
		if random.IntN(40) > 3 {
			err, action = failures[random.IntN(2)], cmp.Or(last, action)
		}
		before := b.Delay()
		news := b.Record(action, err)
		switch {
		case errors.Is(err, ErrSkipped), err == nil && action != last:
			if news || b.Delay() != before {
				t.Fatalf("step %d: nothing happened, and it is news", i)
			}
			continue
		case err == nil:
			last, same, text = "", 0, ""
		case action != last:
			last, same, text = action, 1, ""
		default:
			same++
		}
		if err != nil {
			if news != (err.Error() != text) {
				t.Fatalf("step %d: %v after %q is news: %t", i, err, text, news)
			}
			text = err.Error()
		}
		want := time.Second
		for n := patientAfter; n < same && want < time.Minute; n++ {
			want = min(2*want, time.Minute)
		}
		if b.Delay() != want {
			t.Fatalf("step %d: after %d failures it rests %s, want %s", i, same, b.Delay(), want)
		}
	}
}
