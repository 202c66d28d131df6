package state

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	r := Store{t.TempDir()}
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", Labels: map[string]string{"a": "b"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "busybox"}, {Name: "d", Image: "busybox"}}},
	}
	now := Instant{Wall: time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC), Mono: BootTime(7 * time.Second)}
	rec := NewRecord("u1", object, now)
	rec.Containers[0].State, rec.Containers[0].Attempt, rec.Containers[0].Started = ContainerRunning, 2, &now
	rec.Containers[0].PID = 4711
	rec.Containers[1].Ended = &Termination{ID: "x", Code: 137, Signal: 9, Reason: "OOMKilled", Started: now, Finished: now}
	if err := r.Write(rec); err != nil {
		t.Fatal(err)
	}
	list, err := r.ReadAll()
	if len(err) > 0 || len(list) != 1 || !reflect.DeepEqual(list[0], rec) {
		t.Errorf("got %+v, %v; want %+v", list, err, rec)
	}
}

// A newer podd, from which one goes back, may have written fields that this one does not know: what it knows counts.
func TestARecordOfANewerPodd(t *testing.T) {
	r := Store{t.TempDir()}
	rec := NewRecord("u1", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}, Instant{})
	if err := r.Write(rec); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.Dir, "u1.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), "{", `{"ofTheFuture":{"a":[1]},`, 1)
	if err := os.WriteFile(file, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, errs := r.ReadAll(); len(errs) > 0 || len(list) != 1 || !reflect.DeepEqual(list[0], rec) {
		t.Errorf("got %+v, %v; want %+v", list, errs, rec)
	}
}

// TestABrokenRecordCostsOnlyItself: the others are read, and the broken one is named.
func TestABrokenRecordCostsOnlyItself(t *testing.T) {
	r := Store{t.TempDir()}
	if err := r.Write(NewRecord("good", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}, Instant{})); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"torn.json": `{"uid":"x","obj`, "empty.json": "", "other.json": `{"uid":"y"}`, "good.json.tmp": "half"} {
		if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.ReadAll()
	if len(list) != 1 || list[0].UID != "good" || len(err) != 3 {
		t.Errorf("got %d records, %v; want the good one and an error", len(list), err)
	}
}
