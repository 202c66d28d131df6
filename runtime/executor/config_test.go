package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"podd/runtime/container/spec"
	"podd/runtime/device"
	"podd/runtime/plan"
	"podd/runtime/state"
	"podd/runtime/volume"
)

var errConfigOf = spec.ErrConfig

// config is that of the first container of a pod, as far as subPaths need it.
func (x *Executor) config(rec *state.Record) *spec.Config {
	return &spec.Config{Pod: rec.Object, Container: &rec.Object.Spec.Containers[0]}
}

// What a CDI spec says of a device comes to a container as the specification has it.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
func TestCDIEdits(t *testing.T) {
	var watched []string
	x := New(Executor{WatchDevice: func(path string) { watched = append(watched, path) }})
	op := &run{x, &Operation{Record: podOf("a")}}
	c := &spec.Config{}
	uid, mode, timeout := uint32(7), os.FileMode(0o660), 3
	op.applyCDI(c, &cdispecs.ContainerEdits{
		DeviceNodes: []*cdispecs.DeviceNode{{Path: "/dev/gpu0"}, {Path: "/dev/gpu1", HostPath: "/dev/nvidia1", Permissions: "rwm", UID: &uid, FileMode: &mode}},
		Mounts: []*cdispecs.Mount{
			{HostPath: "/usr/lib/gpu.so", ContainerPath: "/lib/gpu.so", Options: []string{"ro", "nosuid", "nodev", "bind", "rprivate"}},
			{HostPath: "/run/gpu", ContainerPath: "/run/gpu", Options: []string{"rbind", "rw"}},
		},
		Hooks:          []*cdispecs.Hook{{HookName: "createContainer", Path: "/usr/bin/hook", Args: []string{"hook", "ldcache"}, Timeout: &timeout}},
		AdditionalGIDs: []uint32{0, 44},
	})
	if want := "[/dev/gpu0 /dev/gpu0 rw] [/dev/nvidia1 /dev/gpu1 rwm]"; fmt.Sprintf("[%s %s %s] [%s %s %s]", c.Devices[0].Source, c.Devices[0].Destination, c.Devices[0].Access,
		c.Devices[1].Source, c.Devices[1].Destination, c.Devices[1].Access) != want || *c.Devices[1].UID != 7 || *c.Devices[1].Mode != mode || c.Devices[0].UID != nil {
		t.Errorf("devices %+v", c.Devices)
	}
	if m := c.Mounts; len(m) != 2 || !m[0].ReadOnly || fmt.Sprint(m[0].Options) != "[nosuid nodev]" || m[1].ReadOnly || len(m[1].Options) != 0 {
		t.Errorf("mounts %+v", m)
	}
	if h := c.Hooks; len(h) != 1 || h[0].Stage != "createContainer" || len(h[0].Args) != 2 || *h[0].Timeout != 3 {
		t.Errorf("hooks %+v", h)
	}
	if fmt.Sprint(c.AdditionalGIDs) != "[44]" {
		t.Errorf("groups %v: root's is none to be given", c.AdditionalGIDs)
	}
	if fmt.Sprint(watched) != "[/dev/gpu0 /dev/nvidia1]" {
		t.Errorf("watched %v", watched)
	}
	if vars := variables([]string{"A=1", "B=x=y", "C"}); fmt.Sprint(vars) != "[{A 1 nil} {B x=y nil} {C  nil}]" {
		t.Errorf("%v", vars)
	}
}

// A container begins when all units that it was allocated are plugged in, and says which is not.
func TestGivenDevices(t *testing.T) {
	op := &run{New(Executor{}), &Operation{Record: podOf("a"), Inputs: Inputs{Devices: map[string][]device.Given{"a": {
		{Key: "example.com/serial|usb1", Unit: device.Unit{ID: "usb1", Source: "/dev/ttyUSB0", Place: "/dev/modem", Access: "rw"}, Here: true},
		{Key: "vendor.com/gpu|0", Unit: device.Unit{ID: "0", CDI: "vendor.com/gpu=0"}, Here: true},
	}}}}}
	c := &spec.Config{}
	if err := op.giveDevices(c, "a"); err != nil || len(c.Devices) != 1 || c.Devices[0].Destination != "/dev/modem" || c.Devices[0].Unit != "example.com/serial|usb1" {
		t.Errorf("%+v, %v", c.Devices, err)
	}
	op.Inputs.Devices["a"][1].Here = false
	if err := op.giveDevices(&spec.Config{}, "a"); err == nil || err.Error() != "device 0 of resource vendor.com/gpu is not there" {
		t.Errorf("%v", err)
	}
}

// How a volume is mounted: read-only wherever the mount or the volume says so, an image so that nothing of it is run or opened.
func TestMounts(t *testing.T) {
	propagation, recursive := corev1.MountPropagationHostToContainer, corev1.RecursiveReadOnlyIfPossible
	rw := &corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	for _, tc := range []struct {
		name    string
		m       corev1.VolumeMount
		v       *corev1.Volume
		ro      bool
		options string
	}{
		{"plain", corev1.VolumeMount{}, rw, false, "[]"},
		{"read-only", corev1.VolumeMount{ReadOnly: true, RecursiveReadOnly: &recursive}, rw, true, "[]"},
		{"a ConfigMap", corev1.VolumeMount{}, &corev1.Volume{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}, true, "[]"},
		{"a claim, read-only", corev1.VolumeMount{}, &corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ReadOnly: true}}}, true, "[]"},
		{"an image", corev1.VolumeMount{}, &corev1.Volume{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}}, true, "[noexec nodev nosuid]"},
	} {
		tc.m.MountPath, tc.m.MountPropagation = "/data", &propagation
		got := mountOf(&tc.m, tc.v, "/src")
		if got.Source != "/src" || got.Destination != "/data" || got.ReadOnly != tc.ro || got.Propagation != propagation || fmt.Sprint(got.Options) != tc.options {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
	// In a user namespace of its own a container may take "read-only" off a mount that was made there: the host withholds it.
	own, all := false, corev1.Capability("SYS_ADMIN")
	for _, tc := range []struct {
		own, mayMount, ro, recursive bool
		want                         volume.Access
	}{
		{true, true, true, false, volume.ReadOnlyTop},
		{true, true, true, true, volume.ReadOnlyAll},
		{true, true, false, false, volume.AsItIs},
		{true, false, true, true, volume.AsItIs},
		{false, true, true, true, volume.AsItIs},
	} {
		rec := podOf("a")
		if tc.own {
			rec.Object.Spec.HostUsers = &own
		}
		if tc.mayMount {
			rec.Object.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{all}}}
		}
		op := &run{New(Executor{}), &Operation{Record: rec}}
		if got := op.access(&spec.Mount{ReadOnly: tc.ro, Recursive: tc.recursive}); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// Nothing holds a pod up that none of its containers sees.
func TestIsMounted(t *testing.T) {
	mount := []corev1.VolumeMount{{Name: "v"}}
	for i, tc := range []struct {
		spec corev1.PodSpec
		want bool
	}{
		{corev1.PodSpec{}, false},
		{corev1.PodSpec{Containers: []corev1.Container{{}, {VolumeMounts: mount}}}, true},
		{corev1.PodSpec{InitContainers: []corev1.Container{{VolumeMounts: mount}}}, true},
		{corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "w"}}}}}, false},
	} {
		if IsMounted(&tc.spec, "v") != tc.want {
			t.Errorf("%d: %t", i, !tc.want)
		}
	}
}

// The error of a volume is the kubelet's sentence, and says by errors.Is what lies behind it.
func TestVolumeErrors(t *testing.T) {
	err := error(&volumeError{"config", fmt.Errorf("x: %w", volume.ErrNotFound)})
	if err.Error() != `MountVolume.SetUp failed for volume "config" : x: `+volume.ErrNotFound.Error() || !errors.Is(err, volume.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// An image volume that no container mounts is not made: its image may never come.
func TestVolumesThatNobodySees(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a")
	rec.Object.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "none"}}}}
	x.Run(&Operation{Record: rec, Actions: []plan.Action{plan.EnsureVolumes{}}}, func(out Outcome) {
		if v := out.(VolumesEnsured); v.Err != nil || len(v.Images) != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// Claims are where the operation has found them, for the containers that start in the same operation, too.
func TestClaimsOfAnOperation(t *testing.T) {
	x := inMemory(t, &tree{})
	rec := podOf("a")
	rec.Object.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "d"}}}}
	dir := filepath.Join(x.Paths.Root, "volumes")
	if err := os.MkdirAll(x.Paths.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	o := &Operation{Record: rec, Actions: []plan.Action{plan.EnsureVolumes{}}, Inputs: Inputs{Claims: map[string]ClaimFolder{"data": {Dir: dir, Folder: filepath.Join(dir, "default_d")}}}}
	x.Run(o, func(out Outcome) {
		if v := out.(VolumesEnsured); v.Err != nil || v.Folders["data"] != filepath.Join(dir, "default_d") {
			t.Errorf("%+v", v)
		}
	})
	if path, _, err := (&run{x, o}).volumePath("data"); err != nil || path != filepath.Join(dir, "default_d") {
		t.Errorf("a container that starts now looks in %s, %v", path, err)
	}
}

func TestTokenRequests(t *testing.T) {
	seconds := int64(3600)
	if r := TokenRequestOf(&corev1.ServiceAccountTokenProjection{Audience: "vault", ExpirationSeconds: &seconds}); r != (TokenRequest{"vault", 3600}) {
		t.Errorf("%+v", r)
	}
	if r := TokenRequestOf(&corev1.ServiceAccountTokenProjection{}); r != (TokenRequest{}) {
		t.Errorf("%+v", r)
	}
}

// What an entry of a container's in the journal can be found by.
func TestJournalFields(t *testing.T) {
	got := map[string]string{}
	for _, f := range JournalFields(podOf("a"), "a", 3) {
		got[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"SYSLOG_IDENTIFIER": "web", "CONTAINER_NAME": "a", "CONTAINER_ID": "u.a.3", "IMAGE_NAME": "app", "POD_NAME": "web", "POD_NAMESPACE": "default", "POD_UID": "u",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// Of pods that are gone the logs of the last two of a name stay, of the last fifty in all, for a week. Those of pods that are
// there are nobody's to remove, however many and old.
func TestLogsOfRemovedPods(t *testing.T) {
	l := LogFolders{state.Paths{Logs: t.TempDir()}}
	now := time.Now()
	add := func(name string, removed bool, age time.Duration) {
		mode := os.FileMode(0o755)
		if removed {
			mode |= removedMark
		}
		path := filepath.Join(l.Paths.Logs, name)
		if err := errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, mode), os.Chtimes(path, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	rec := func(name string, uid types.UID) *state.Record {
		return &state.Record{UID: uid, Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}}
	}
	add("default_web_4", false, 0)
	add("default_web_3", true, time.Minute)
	add("default_web_2", true, time.Hour)
	add("default_web-front_1", true, time.Hour)
	add("default_old_1", true, 8*24*time.Hour)
	add("default_running_1", false, 90*24*time.Hour)
	left := func() map[string]bool {
		entries, err := os.ReadDir(l.Paths.Logs)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, e := range entries {
			names[e.Name()] = true
		}
		return names
	}
	if err := l.removePod(rec("web", "4"), false); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"default_web_4": true, "default_web_3": true, "default_web_2": false, "default_web-front_1": true, "default_old_1": false, "default_running_1": true,
	} {
		if left()[name] != want {
			t.Errorf("%s is there: %t", name, !want)
		}
	}
	for i := range keptRemovedAll + 10 {
		add(fmt.Sprintf("team_p%02d_1", i), true, time.Duration(i)*time.Minute)
	}
	if err := l.removePod(rec("gone", "1"), true); err != nil {
		t.Fatal(err)
	}
	if !left()["default_running_1"] || len(left()) != keptRemovedAll+1 {
		t.Errorf("%d folders are left", len(left()))
	}
	// One of the same UID that comes back is another pod: its restarts count from 0, in logs of its own.
	r := state.NewRecord("4", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}, state.Instant{})
	dir := l.Paths.ContainerLogs(r, "c")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "6.log"), nil, 0o600), os.WriteFile(filepath.Join(dir, "note.txt"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, base := range []int{7, 0} { // the second time it is the same pod, after a reboot
		again := state.NewRecord("4", r.Object, state.Instant{})
		l.CountAttempts(again)
		if c := again.Containers[0]; c.Attempt != 6 || c.Base != base {
			t.Errorf("attempt %d, base %d; want 6 and %d", c.Attempt, c.Base, base)
		}
	}
}
