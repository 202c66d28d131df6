package event

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)

func pod(name string) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "shop", Name: name, UID: "u-1"}
}

func open(t *testing.T, o Options) *Recorder {
	t.Helper()
	o.Node = "board"
	if o.Warn == nil {
		o.Warn = func(err error) { t.Error(err) }
	}
	r := Open(o)
	t.Cleanup(func() { r.Close() })
	return r
}

// summary is what a test compares: "3 BackOff web: message".
func summary(list []corev1.Event) []string {
	var lines []string
	for _, e := range list {
		lines = append(lines, fmt.Sprintf("%d %s %s: %s", e.Count, e.Reason, e.InvolvedObject.Name, e.Message))
	}
	return lines
}

func expect(t *testing.T, r *Recorder, want ...string) {
	t.Helper()
	list, _ := r.List("")
	if got := summary(list); !slices.Equal(got, want) {
		t.Errorf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRecord(t *testing.T) {
	r := open(t, Options{})
	ref := pod("web")
	ref.FieldPath, ref.ResourceVersion = "spec.containers{nginx}", "77"
	r.Record(start, ref, corev1.EventTypeWarning, "BackOff", "back-off 10s")
	ref.ResourceVersion = "78"
	r.Record(start.Add(time.Minute), ref, corev1.EventTypeWarning, "BackOff", "back-off 10s")
	list, rv := r.List("shop")
	if len(list) != 1 || rv != 2 {
		t.Fatalf("%d events, version %d", len(list), rv)
	}
	e := list[0]
	if e.Name != fmt.Sprintf("web.%x", start.UnixNano()) || e.Namespace != "shop" || e.ResourceVersion != "2" || len(e.UID) != 36 {
		t.Errorf("metadata %+v", e.ObjectMeta)
	}
	if e.InvolvedObject.FieldPath != "spec.containers{nginx}" || e.InvolvedObject.UID != "u-1" {
		t.Errorf("object %+v", e.InvolvedObject)
	}
	if !e.FirstTimestamp.Time.Equal(start) || !e.LastTimestamp.Time.Equal(start.Add(time.Minute)) || e.Count != 2 {
		t.Errorf("times %v, %v, count %d", e.FirstTimestamp, e.LastTimestamp, e.Count)
	}
	if e.Source != (corev1.EventSource{Component: "podd", Host: "board"}) || e.ReportingController != "podd" || e.Type != "Warning" {
		t.Errorf("%+v", e)
	}
}

func TestDifferentEventsAreNotCountedTogether(t *testing.T) {
	r := open(t, Options{})
	inOther := pod("web")
	inOther.FieldPath = "spec.containers{b}"
	successor := pod("web")
	successor.UID = "u-2"
	r.Record(start, pod("web"), "Normal", "Started", "m")
	r.Record(start, pod("web"), "Warning", "Started", "m")
	r.Record(start, pod("web"), "Normal", "Created", "m")
	r.Record(start, pod("web"), "Normal", "Started", "n")
	r.Record(start, pod("api"), "Normal", "Started", "m")
	r.Record(start, inOther, "Normal", "Started", "m")
	r.Record(start, successor, "Normal", "Started", "m")
	list, _ := r.List("")
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name] = true
	}
	if len(list) != 7 || len(names) != 7 {
		t.Errorf("%d events with %d names: %q", len(list), len(names), summary(list))
	}
}

func TestSimilarEventsAreCombined(t *testing.T) {
	r := open(t, Options{})
	for i := range 12 {
		r.Record(start.Add(time.Duration(i)*time.Minute), pod("web"), "Warning", "Unhealthy", fmt.Sprint("probe ", i))
	}
	r.Record(start.Add(12*time.Minute), pod("web"), "Warning", "Unhealthy", "probe 3")
	var want []string
	for i := range 9 {
		if i != 3 {
			want = append(want, fmt.Sprintf("1 Unhealthy web: probe %d", i))
		}
	}
	expect(t, r, append(want, "3 Unhealthy web: (combined from similar events): probe 11", "2 Unhealthy web: probe 3")...)
	r.Record(start.Add(23*time.Minute), pod("web"), "Warning", "Unhealthy", "probe 99")
	if list, _ := r.List(""); list[len(list)-1].Message != "probe 99" {
		t.Error("combined after ten quiet minutes")
	}
}

func TestNamespaces(t *testing.T) {
	r := open(t, Options{})
	node := corev1.ObjectReference{Kind: "Node", Name: "board"}
	r.Record(start, pod("web"), "Normal", "Started", "m")
	r.Record(start, node, "Normal", "Starting", "m")
	for namespace, want := range map[string]int{"": 2, "shop": 1, "default": 1, "other": 0} {
		if list, rv := r.List(namespace); len(list) != want || rv != 2 {
			t.Errorf("namespace %q has %d events at %d, want %d", namespace, len(list), rv, want)
		}
	}
}

func TestTheOldestGoes(t *testing.T) {
	r := open(t, Options{Max: 3, Path: filepath.Join(t.TempDir(), "events.jsonl")})
	for i := range 3 {
		r.Record(start, pod("web"), "Normal", "R", fmt.Sprint(i))
	}
	r.Record(start, pod("web"), "Normal", "R", "0")
	r.Record(start, pod("web"), "Normal", "R", "3")
	expect(t, r, "1 R web: 2", "2 R web: 0", "1 R web: 3")
	if n := len(r.similar.groups); n != 1 {
		t.Errorf("%d groups", n)
	}
	for i := range 10 {
		r.Record(start, pod(fmt.Sprint(i)), "Normal", "R", "m")
	}
	if n := len(r.similar.groups); n > 3 {
		t.Errorf("%d groups are remembered of at most 3", n)
	}
}

func TestNamesAreUnique(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := open(t, Options{Path: path})
	long := strings.Repeat("n", 253)
	for i := range 3 {
		r.Record(start.Add(-time.Duration(i)*time.Hour), pod(long), "Normal", "R", fmt.Sprint(i))
	}
	r.Close()
	r = open(t, Options{Path: path})
	r.Record(start, pod(long), "Normal", "R", "after")
	names := map[string]bool{}
	list, _ := r.List("")
	for _, e := range list {
		names[e.Name] = true
		if len(e.Name) > 253 {
			t.Errorf("name of %d bytes", len(e.Name))
		}
	}
	if len(names) != 4 {
		t.Errorf("%d names for 4 events", len(names))
	}
}

func TestWatch(t *testing.T) {
	r := open(t, Options{Max: 2})
	r.Record(start, pod("a"), "Normal", "R", "m")
	_, rv := r.List("")
	r.Record(start, pod("b"), "Normal", "R", "m")
	ch, cancel, err := r.Watch(rv)
	if err != nil {
		t.Fatal(err)
	}
	r.Record(start, pod("b"), "Normal", "R", "m")
	r.Record(start, pod("c"), "Normal", "R", "m")
	cancel()
	cancel()
	r.Record(start, pod("d"), "Normal", "R", "m")
	var got []string
	for c := range ch {
		if c.Event.ResourceVersion != fmt.Sprint(c.RV) {
			t.Errorf("event of version %s in change %d", c.Event.ResourceVersion, c.RV)
		}
		got = append(got, fmt.Sprintf("%d %s %s %d", c.RV, c.Type, c.Event.InvolvedObject.Name, c.Event.Count))
	}
	want := []string{"2 ADDED b 1", "3 MODIFIED b 2", "4 DELETED a 1", "5 ADDED c 1"}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

func TestWatchTooOld(t *testing.T) {
	r := open(t, Options{})
	for i := range 3 * historyMax {
		r.Record(start, pod(fmt.Sprint(i)), "Normal", "R", "m")
	}
	_, rv := r.List("")
	for since, ok := range map[uint64]bool{0: false, rv - historyMax: true, rv: true, rv + 1: false} {
		ch, cancel, err := r.Watch(since)
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrTooOld) {
			t.Errorf("watch from %d of %d: %v", since, rv, err)
			continue
		}
		if ok {
			if got := uint64(len(ch)); got != rv-since {
				t.Errorf("watch from %d has %d changes", since, got)
			}
			cancel()
		}
	}
}

func TestASlowWatcherIsDropped(t *testing.T) {
	r := open(t, Options{})
	ch, cancel, err := r.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for range slack + 1 {
		r.Record(start, pod("a"), "Normal", "R", "m")
	}
	n := 0
	for c := range ch {
		if n++; c.Event.Count != int32(n) || c.Type == watch.Added && n > 1 {
			t.Fatalf("change %d: %+v", n, c)
		}
	}
	if n != slack {
		t.Errorf("%d changes before the end", n)
	}
}

// Without a place to write, events are kept in memory, and written once there is one.
func TestMissingFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	var told []error
	o := Options{Path: filepath.Join(dir, "events"), Warn: func(err error) { told = append(told, err) }}
	r := open(t, o)
	r.Record(start, pod("a"), "Normal", "R", "before")
	if len(told) != 1 || !errors.Is(told[0], os.ErrNotExist) {
		t.Errorf("told of %v", told)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Record(start, pod("a"), "Normal", "R", "after")
	again := open(t, Options{Path: o.Path})
	if list, _ := again.List(""); len(list) != 2 {
		t.Errorf("%d events are left", len(list))
	}
}
