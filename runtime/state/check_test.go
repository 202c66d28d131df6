package state

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/atomicfile"
)

// whole is a record that podd could have written.
func whole() *Record {
	r := NewRecord("u", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       corev1.PodSpec{InitContainers: []corev1.Container{{Name: "i"}}, Containers: []corev1.Container{{Name: "c"}}},
	}, at(1))
	started := at(2)
	r.State = PodRunning
	r.Containers[0].State, r.Containers[0].Attempt = ContainerCollected, 0
	r.Containers[1].State, r.Containers[1].Attempt, r.Containers[1].Started, r.Containers[1].PID = ContainerRunning, 0, &started, 42
	return r
}

// All that the loop relies on is checked when a record is read: what no podd has written is damage, and is told as that.
func TestARecordIsBelievedWhole(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"":                                     func(*Record) {},
		`it is of pod "other"`:                 func(r *Record) { r.UID = "other" },
		`its pod is "" in namespace "default"`: func(r *Record) { r.Raw = json.RawMessage(`{"metadata":{"namespace":"default"}}`) },
		`its pod is "../x" in namespace "n"`:   func(r *Record) { r.Raw = json.RawMessage(`{"metadata":{"namespace":"n","name":"../x"}}`) },
		`its pod is "Asleep"`:                  func(r *Record) { r.State = "Asleep" },
		"its pod is Stopping and nothing says since when":  func(r *Record) { r.State = PodStopping },
		"its pod is Finishing and nothing says since when": func(r *Record) { r.State = PodFinishing },
		"it names containers that its pod does not have":   func(r *Record) { r.Containers[1].Name = "x" },
		"it lacks containers that its pod has":             func(r *Record) { r.Containers = r.Containers[:1] },
		`container i: its kind is "helper"`:                func(r *Record) { r.Containers[0].Kind = "helper" },
		`container i: its state is "Paused"`:               func(r *Record) { r.Containers[0].State = "Paused" },
		"container i: its attempt is -1":                   func(r *Record) { r.Containers[0].Attempt = -1 },
		"container i: its attempt is -2":                   func(r *Record) { r.Containers[0].Attempt, r.Containers[0].State = -2, ContainerWaiting },
		"container i: its attempt is 0":                    func(r *Record) { r.Containers[0].Base = -1 },
		"container i: its attempt is 1099511627777":        func(r *Record) { r.Containers[0].Attempt = maxAttempt + 1 },
		"container c: it is Running and has no process":    func(r *Record) { r.Containers[1].PID = 1 },
		"container c: it is Stopping and has no process":   func(r *Record) { r.Containers[1].State, r.Containers[1].Started = ContainerStopping, nil },
		"cannot unmarshal":                                 func(r *Record) { r.Raw = json.RawMessage(`{"spec":[]}`) },
		"it names no pod":                                  func(r *Record) { r.Raw = nil },
	} {
		r := whole()
		change(r)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if r.Raw == nil {
			data = []byte(strings.Replace(string(data), `"object":null,`, "", 1))
		}
		path := filepath.Join(t.TempDir(), "u.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		rec, err := ReadFile(path)
		var damage *atomicfile.Damage
		switch {
		case name == "" && (err != nil || rec.Container("c").PID != 42 || rec.Conditions == nil):
			t.Errorf("a good record: %v, %+v", err, rec)
		case name != "" && (!errors.As(err, &damage) || !strings.Contains(err.Error(), name)):
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := whole()
	twice.Containers = append(twice.Containers, twice.Containers[1])
	if err := twice.check("u"); err == nil {
		t.Error("a container that is there twice is believed")
	}
	twice.Containers[2] = nil
	if err := twice.check("u"); err == nil {
		t.Error("a container that is null is believed")
	}
}

// A record is read for the states that it is looked for in: the end of a pod is not one that runs.
func TestReadFileOfStates(t *testing.T) {
	s := Store{t.TempDir()}
	if err := s.Write(whole()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		states []PodState
		ok     bool
	}{{nil, true}, {[]PodState{PodRunning}, true}, {[]PodState{PodFinished, PodRunning}, true}, {[]PodState{PodFinished}, false}} {
		if _, err := ReadFile(s.Path("u"), tc.states...); (err == nil) != tc.ok {
			t.Errorf("%v: %v", tc.states, err)
		}
	}
	if err := errors.Join(s.Remove("u"), s.Remove("u")); err != nil {
		t.Error(err)
	}
	if _, err := ReadFile(s.Path("u")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after it was removed: %v", err)
	}
}

// Pods of controllers that have ended are read back without their manifests; damaged ones are named, and cost no others.
func TestReadMade(t *testing.T) {
	s := FinishedStore{t.TempDir()}
	for uid, made := range map[string]bool{"made": true, "own": false} {
		r := whole()
		r.UID, r.Made, r.State = "made", made, PodFinished
		if uid == "own" {
			r.UID = "own"
		}
		r.Containers[1].State, r.Containers[1].NotBefore = ContainerCollected, 7
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Save(r.UID, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Save("torn", []byte("{")); err != nil {
		t.Fatal(err)
	}
	list, bad := s.ReadMade()
	if len(list) != 1 || list[0].UID != "made" || !list[0].Kept || len(bad) != 1 {
		t.Fatalf("%v, %v", list, bad)
	}
	// Its clock has ended with its boot: nothing of it waits for a moment of this one, and its times are shown as they were.
	r, now := list[0], Instant{Wall: at(9).Wall.AddDate(30, 0, 0), Mono: 5}
	if c := r.Container("c"); c.NotBefore != 0 || c.Started.WallAt(now) != c.Started.Wall || r.Created.WallAt(now) != r.Created.Wall {
		t.Errorf("%+v, created %v", c, r.Created.WallAt(now))
	}
	if list, bad := (FinishedStore{filepath.Join(s.Dir, "none")}).ReadMade(); list != nil || bad != nil {
		t.Errorf("where nothing was ever kept: %v, %v", list, bad)
	}
}
