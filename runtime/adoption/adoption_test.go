package adoption

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

var at = state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}

// board is what an earlier daemon has left. It notes what is taken away.
type board struct {
	t        *testing.T
	attempts map[string]string // by ID: runs, created (never started), dead, unreadable
	broken   map[string]error  // of what is asked for by this name
	volumes  []string          // UIDs of pods with volumes on tmpfs
	done     []string
}

func (b *board) do(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	b.done = append(b.done, what)
	return b.broken[what]
}

func (b *board) Attempts() ([]string, error) {
	return slices.Sorted(maps.Keys(b.attempts)), b.broken["attempts"]
}

func (b *board) Find(id string) (*container.Found, error) {
	switch b.attempts[id] {
	case "unreadable":
		return nil, errors.New("no state")
	case "":
		return nil, nil
	case "dead":
		return &container.Found{}, nil
	}
	fd, err := os.Open(os.DevNull)
	if err != nil {
		b.t.Fatal(err)
	}
	return &container.Found{PIDFD: fd, PID: 42, Started: b.attempts[id] == "runs"}, nil
}

func (b *board) Discard(id string) error           { return b.do("discard %s", id) }
func (b *board) Layers(id string) []string         { return []string{"layer of " + id} }
func (b *board) RemoveSandbox(uid types.UID) error { return b.do("remove sandbox %s", uid) }
func (b *board) UnmapAll() error                   { return b.do("unmap all") }
func (b *board) Orphans(known map[string]bool) (uids []string) {
	return slices.DeleteFunc(slices.Clone(b.volumes), func(uid string) bool { return known[uid] })
}
func (b *board) RemoveMemory(uid string) error { return b.do("remove memory %s", uid) }
func (b *board) PodPath(uid, qos string) (string, error) {
	return qos + "/" + uid, b.broken["path "+qos]
}
func (b *board) RemovePod(path string) error { return b.do("remove cgroup %s", path) }

func (b *board) Collect(keep map[string]bool) error {
	return b.do("collect but %s", strings.Join(slices.Sorted(maps.Keys(keep)), ","))
}

func pod(uid types.UID, change func(*corev1.PodSpec)) *manifest.Pod {
	always := corev1.ContainerRestartPolicyAlways
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: uid}, Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "first"}, {Name: "side", RestartPolicy: &always}, {Name: "second"}},
		Containers:     []corev1.Container{{Name: "main"}, {Name: "other"}},
	}}
	if change != nil {
		change(&p.Spec)
	}
	return &manifest.Pod{Object: p, File: "web.yaml", Doc: 2, Hash: "h"}
}

// Only what runs, and was started, makes an orphan: of a pod that no record knows.
func TestFindOrphans(t *testing.T) {
	b := &board{t: t, attempts: map[string]string{
		"lost.main.3": "runs", "lost.side.0": "runs", "lost.first.0": "dead", "lost.other.1": "created", "lost.second.0": "unreadable",
		"known.main.0": "runs", "dead.main.0": "dead", "lost.PAUSE.0": "runs", "rubbish": "runs",
	}, broken: map[string]error{"attempts": errors.New("one folder cannot be read")}}
	o, err := FindOrphans(b, func(uid types.UID) bool { return uid == "known" })
	if err == nil {
		t.Error("nobody hears that it may not be all of them")
	}
	if o.Len() != 1 || !o.Has("lost") || o.Has("known") || o.Has("dead") {
		t.Fatalf("%+v", o)
	}
	if got := o.containers["lost"]; got["main"] != 3 || got["side"] != 0 || len(got) != 3 { // and the pause process
		t.Errorf("%v", got)
	}
	for name, own := range map[string]bool{
		"lost.main.3.stdout": true, "lost.side.0.exit": true, "known.main.0.stdout": false, "lost": false, "": false, "lost.main.stdout": false,
	} {
		if o.Own(name) != own {
			t.Errorf("descriptor %q is an orphan's: %t", name, !own)
		}
	}
}

// What is not observed is inferred, never guessed for the better: an init container before one that runs has come through, one
// that has run and is gone has failed, one that has never run is to come.
func TestTakeRecord(t *testing.T) {
	const never, collected, starting = state.ContainerWaiting, state.ContainerCollected, state.ContainerStarting
	for _, tc := range []struct {
		name        string
		running     []string
		logged      []string // containers that have a log of their attempt 0
		states      map[string]state.ContainerState
		initialized bool
		failed      []string // ContainerStatusUnknown
	}{
		{"in its first init container", []string{"first"}, nil, map[string]state.ContainerState{"first": starting, "side": never, "second": never, "main": never, "other": never}, false, nil},
		{"in its second", []string{"side", "second"}, []string{"first"}, map[string]state.ContainerState{"first": collected, "side": starting, "second": starting, "main": never}, false, nil},
		{"all runs", []string{"side", "main", "other"}, []string{"first", "second"}, map[string]state.ContainerState{"first": collected, "side": starting, "second": collected, "main": starting, "other": starting}, true, nil},
		{
			"one main container has ended meanwhile",
			[]string{"main"},
			[]string{"first", "side", "second", "other"},
			map[string]state.ContainerState{"first": collected, "side": collected, "second": collected, "main": starting, "other": collected},
			true,
			[]string{"other", "side"},
		},
		{"its logs are gone", []string{"main"}, nil, map[string]state.ContainerState{"first": collected, "second": collected, "side": never, "main": starting, "other": never}, true, nil},
		{"an init container had failed and runs again", []string{"first"}, []string{"first"}, map[string]state.ContainerState{"first": starting, "main": never}, false, nil},
	} {
		b := &board{t: t, attempts: map[string]string{}}
		for _, name := range tc.running {
			b.attempts["u."+name+".1"] = "runs"
		}
		logs := executor.LogFolders{Paths: state.Paths{Logs: t.TempDir()}}
		for _, name := range tc.logged {
			dir := filepath.Join(logs.Paths.Logs, "default_web_u", name)
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "0.log"), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		o, err := FindOrphans(b, func(types.UID) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if rec := o.TakeRecord(b, logs, pod("another", nil), at); rec != nil || o.Len() != 1 {
			t.Errorf("%s: taken by a pod of another UID", tc.name)
		}
		rec := o.TakeRecord(b, logs, pod("u", nil), at)
		if rec == nil || o.Has("u") || rec.File != "web.yaml" || rec.Doc != 2 || rec.Hash != "h" || rec.Initialized != tc.initialized {
			t.Fatalf("%s: %+v", tc.name, rec)
		}
		for name, want := range tc.states {
			if c := rec.Container(name); c.State != want {
				t.Errorf("%s: %s is %s, want %s", tc.name, name, c.State, want)
			}
		}
		var failed []string
		for _, c := range rec.Containers {
			runs := slices.Contains(tc.running, c.Name)
			if runs != (len(c.Layers) == 1) || runs && c.Attempt != 1 {
				t.Errorf("%s: %s: attempt %d, layers %v", tc.name, c.Name, c.Attempt, c.Layers)
			}
			if c.Kind == state.KindSidecar && c.Done != runs {
				t.Errorf("%s: the sidecar lets others begin: %t", tc.name, c.Done)
			}
			if c.Kind == state.KindInit && c.Done != (c.State == collected) {
				t.Errorf("%s: %s: done %t in %s", tc.name, c.Name, c.Done, c.State)
			}
			if c.Ended != nil && c.Ended.Reason == "ContainerStatusUnknown" {
				failed = append(failed, c.Name)
				if c.Ended.Code == 0 {
					t.Errorf("%s: an end that nobody saw counts as success", tc.name)
				}
			}
		}
		if slices.Sort(failed); !slices.Equal(failed, tc.failed) {
			t.Errorf("%s: ends that nobody saw: %v, want %v", tc.name, failed, tc.failed)
		}
		// A record that says what no podd has written would be set aside at the next start.
		store := state.Store{Dir: t.TempDir()}
		if err := store.Write(rec); err != nil {
			t.Fatal(err)
		}
		if _, bad := store.ReadAll(); len(bad) > 0 {
			t.Errorf("%s: the record is not believed: %v", tc.name, bad)
		}
	}
}

func (b *board) remains() *Remains {
	return &Remains{Kernel: b, Paths: state.Paths{Run: b.t.TempDir()}, Volumes: b, Cgroups: b, Network: b, Users: b, Levels: b}
}

// What a record or an orphan has stays; all else goes, and what cannot be taken away keeps nothing else from going.
func TestRemoveRemains(t *testing.T) {
	shares := true
	rec := state.NewRecord("kept", pod("kept", func(s *corev1.PodSpec) { s.ShareProcessNamespace = &shares }).Object, at)
	rec.Container("main").Attempt, rec.Container("other").Attempt = 4, 0
	b := &board{t: t, volumes: []string{"kept", "gone", "lost"}, attempts: map[string]string{
		"kept.main.4": "runs", "kept.main.3": "dead", "kept.other.0": "dead", sandbox.PauseID("kept"): "runs", "lost.main.1": "runs", "lost.main.0": "dead",
		"gone.main.0": "dead", sandbox.PauseID("gone"): "runs",
	}, broken: map[string]error{"discard gone.main.0": errors.New("busy"), "remove sandbox gone": errors.New("busy too")}}
	r := b.remains()
	for _, dir := range []string{"ns/kept", "ns/gone", "sandbox/gone", "sandbox/lost", "sandbox/.hidden"} {
		if err := os.MkdirAll(filepath.Join(r.Paths.Run, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	o, _ := FindOrphans(b, func(uid types.UID) bool { return uid != "lost" })
	var keep Keep
	keep.Record(rec, func(name string) bool { return name == "main" })
	keep.Orphans(&o)
	err := r.Remove(keep)
	if err == nil || !strings.Contains(err.Error(), "busy\nbusy too") {
		t.Errorf("the errors: %v", err)
	}
	want := []string{
		"discard " + sandbox.PauseID("gone"), "discard gone.main.0", "discard kept.main.3", "discard kept.other.0", "discard lost.main.0",
		"remove sandbox gone", "remove sandbox gone", "remove memory gone", "collect but kept,lost", "collect but kept,lost", "collect but kept,lost", "collect but kept,lost", "unmap all",
	}
	if !slices.Equal(b.done, want) {
		t.Errorf("done:\n%s\nwant:\n%s", strings.Join(b.done, "\n"), strings.Join(want, "\n"))
	}
}

// With nothing to keep all goes: a first start after a crash of the board's tmpfs, or a folder without manifests.
func TestRemoveAllRemains(t *testing.T) {
	b := &board{t: t, attempts: map[string]string{"a.main.0": "dead"}}
	if err := b.remains().Remove(Keep{}); err != nil || !slices.Contains(b.done, "discard a.main.0") || !slices.Contains(b.done, "collect but ") {
		t.Errorf("%v, %v", err, b.done)
	}
}

// Orphans that no manifest speaks of end once the manifests are known: containers, sandbox, volumes on tmpfs and the cgroup of
// whatever class they had, which only their manifest knew. What is on the disk waits for its own rules.
func TestRemoveOrphans(t *testing.T) {
	b := &board{t: t, attempts: map[string]string{"a.main.2": "runs", "b.main.0": "runs"}, broken: map[string]error{
		"discard b.main.0": errors.New("it does not die"), "path burstable": errors.New("no such tier"),
	}}
	o, _ := FindOrphans(b, func(types.UID) bool { return false })
	errs := b.remains().RemoveOrphans(&o)
	if len(errs) != 2 || !strings.Contains(errs["b"].Error(), "does not die") || strings.Contains(fmt.Sprint(errs["a"]), "does not die") || o.Len() != 0 {
		t.Errorf("%v, left %d", errs, o.Len())
	}
	for _, want := range []string{
		"discard a.main.2", "remove sandbox a", "remove memory a", "remove cgroup guaranteed/a", "remove cgroup besteffort/a",
		"remove sandbox b", "remove memory b", "remove cgroup besteffort/b",
	} {
		if !slices.Contains(b.done, want) {
			t.Errorf("not done: %s", want)
		}
	}
	if slices.Contains(b.done, "remove cgroup burstable/a") {
		t.Error("a cgroup was removed whose path is not known")
	}
}
