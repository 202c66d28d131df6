package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
)

func finished(t *testing.T, uid types.UID) []byte {
	t.Helper()
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID = "default", "job", uid
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: "a:1"}}
	rec := NewRecord(uid, p, Now())
	rec.State = PodFinished
	rec.Containers[0].State, rec.Containers[0].Attempt = ContainerCollected, 0
	data, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The end of a pod is known in the next boot, as one of an earlier boot, until it is forgotten.
func TestFinishedStore(t *testing.T) {
	s := FinishedStore{filepath.Join(t.TempDir(), "finished")}
	s.Prune(nil) // nothing was ever kept
	if rec, err := s.Read("u1"); rec != nil || err != nil {
		t.Errorf("of a pod that has not ended: %v, %v", rec, err)
	}
	if same, err := s.Check(NewRecord("u1", &corev1.Pod{}, Now())); same || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a pod that has not ended: %t, %v", same, err)
	}
	if err := s.Save("u1", finished(t, "u1")); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Read("u1")
	if err != nil || !rec.Kept || rec.State != PodFinished || rec.Created.Mono > 0 {
		t.Fatalf("read %+v, %v", rec, err)
	}
	if same, err := s.Check(rec); !same || err != nil {
		t.Errorf("what was saved is not the same: %t, %v", same, err)
	}
	rec.Raw = []byte(`{"metadata":{"finalizers":["x"]}}`)
	if same, err := s.Check(rec); same || err != nil {
		t.Errorf("what has changed is the same: %t, %v", same, err)
	}
	if err := errors.Join(s.Delete("u1"), s.Delete("u1")); err != nil {
		t.Error(err)
	}
	if rec, err := s.Read("u1"); rec != nil || err != nil {
		t.Errorf("after it was forgotten: %v, %v", rec, err)
	}
}

// A record that is damaged is no end of a pod.
func TestFinishedStoreBelievesNothing(t *testing.T) {
	s := FinishedStore{t.TempDir()}
	for _, data := range [][]byte{[]byte("{"), finished(t, "u2"), []byte(`{"state":"Running"}`)} {
		if err := s.Save("u1", data); err != nil {
			t.Fatal(err)
		}
		var damage *atomicfile.Damage
		if rec, err := s.Read("u1"); rec != nil || !errors.As(err, &damage) {
			t.Errorf("%s is believed: %v", data, err)
		}
	}
}

// What is kept of pods without a manifest goes; of the others nothing does, not even what was set aside.
func TestFinishedStorePrune(t *testing.T) {
	s := FinishedStore{t.TempDir()}
	for _, name := range []string{"u1.json", "u1.json.damaged-1", "u2.json", "u2.json.damaged-1", "note"} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Prune(map[types.UID]bool{"u1": true})
	left, err := os.ReadDir(s.Dir)
	if err != nil || len(left) != 2 || left[0].Name() != "u1.json" || left[1].Name() != "u1.json.damaged-1" {
		t.Errorf("left: %v, %v", left, err)
	}
}
