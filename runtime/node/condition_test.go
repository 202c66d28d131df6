package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A condition is shown while something is wrong and says all of it, always in the same order.
func TestCondition(t *testing.T) {
	t.Parallel()
	c := &Condition{Type: "NetworkFit", Reason: "CheckFailed"}
	now, since := metav1.NewTime(time.Unix(2000, 0)), metav1.NewTime(time.Unix(1000, 0))
	for i, step := range []struct {
		what, problem string
		news          bool
		text          string
	}{
		{"dns", "", false, ""}, // nothing was wrong before
		{"dns", "dns: no answer", true, "dns: no answer"},
		{"dns", "dns: no answer", false, "dns: no answer"},
		{"bridge", "bridge: gone", true, "bridge: gone; dns: no answer"},
		{"dns", "dns: refused", true, "bridge: gone; dns: refused"},
		{"bridge", "", true, "dns: refused"},
		{"bridge", "", false, "dns: refused"},
		{"dns", "", true, ""},
		{"dns", "", false, ""},
	} {
		if news := c.Set(step.what, step.problem); news != step.news {
			t.Errorf("step %d: it is news: %t", i, news)
		}
		if got := c.Text(); got != step.text {
			t.Errorf("step %d: %q, want %q", i, got, step.text)
		}
		var want []corev1.NodeCondition
		if step.text != "" {
			want = []corev1.NodeCondition{{
				Type: "NetworkFit", Status: corev1.ConditionFalse, Reason: "CheckFailed", Message: step.text, LastHeartbeatTime: now, LastTransitionTime: since,
			}}
		}
		if got := c.List(now, since); !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: %+v", i, got)
		}
	}
}

// Of many that say the same at once, one has news.
func TestConditionOfManyGoroutines(t *testing.T) {
	t.Parallel()
	c := &Condition{}
	for round, problem := range []string{"a", "b", ""} {
		var wait sync.WaitGroup
		news := make(chan bool, 50)
		for range cap(news) {
			wait.Go(func() {
				news <- c.Set("x", problem)
				_ = c.Text()
			})
		}
		wait.Wait()
		close(news)
		count := 0
		for n := range news {
			if n {
				count++
			}
		}
		if count != 1 || c.Text() != problem {
			t.Errorf("round %d: news to %d, %q", round, count, c.Text())
		}
	}
}

func TestReporter(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var events []string
	r := &Reporter{
		Condition: &Condition{Reason: "NetworkCheckFailed"}, Subject: "network", MendedReason: "NetworkMended", MendedText: "is right again",
		Node: func() corev1.ObjectReference { return Reference("board") },
		Events: func(now time.Time, ref corev1.ObjectReference, typ, reason, message string) {
			if now.IsZero() || ref != (corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Namespace: "default", Name: "board", UID: "podd"}) {
				t.Errorf("an event at %v about %+v", now, ref)
			}
			events = append(events, fmt.Sprintf("%s %s: %s", typ, reason, message))
		},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	broken := errors.New("no route")
	for i, step := range []struct {
		what        string
		err         error
		event, line string
	}{
		{"bridge", nil, "", ""},
		{"bridge", broken, "Warning NetworkCheckFailed: bridge: no route", `level=ERROR msg="network check failed" check=bridge error="no route"`},
		{"bridge", broken, "", ""},
		{"dns", broken, "Warning NetworkCheckFailed: dns: no route", `level=ERROR msg="network check failed" check=dns error="no route"`},
		{"bridge", errors.New("down"), "Warning NetworkCheckFailed: bridge: down", `level=ERROR msg="network check failed" check=bridge error=down`},
		{"bridge", nil, "Normal NetworkMended: bridge is right again", `level=INFO msg="network check passes again" check=bridge`},
		{"bridge", nil, "", ""},
	} {
		log.Reset()
		events = nil
		r.Report(step.what, step.err)
		if got := strings.Join(events, "\n"); got != step.event {
			t.Errorf("step %d: events %q, want %q", i, got, step.event)
		}
		_, line, _ := strings.Cut(strings.TrimSpace(log.String()), " ") // behind the time
		if line != step.line {
			t.Errorf("step %d: the log says %q, want %q", i, line, step.line)
		}
	}
	r.MendedReason, events = "", nil
	if r.Report("dns", nil); events != nil || r.Condition.Text() != "" {
		t.Errorf("without a reason to mend: %q, still wrong %q", events, r.Condition.Text())
	}
}

// A cordon for one boot is over in the next, and one whose boots cannot be told stays.
func TestCordonOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		until, boot string
		want        bool
	}{
		{"", "", false}, {"", "a", false}, {"a", "a", false}, {"a", "b", true}, {"a", "", false},
	} {
		if got := (Cordon{Unschedulable: true, UntilBoot: tc.until}).Over(tc.boot); got != tc.want {
			t.Errorf("until boot %q ends, in boot %q: %t", tc.until, tc.boot, got)
		}
	}
}

// What was written is read; what cannot be believed is set aside, so that a board never starts cordoned by damage.
func TestReadCordon(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	for _, c := range []Cordon{{}, {Unschedulable: true, Since: since}, {Unschedulable: true, Since: since, UntilBoot: "b1"}, {Since: since}} {
		path := filepath.Join(t.TempDir(), "cordon.json")
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadCordon(path); err != nil || got != c {
			t.Errorf("%s was read as %+v, %v", data, got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "cordon.json")
	if got, err := ReadCordon(path); !errors.Is(err, fs.ErrNotExist) || got != (Cordon{}) {
		t.Errorf("never cordoned: %+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"empty": "", "cut": `{"unschedulable":tr`, "not since when": `{"unschedulable":true}`, "a list": `[]`, "a bad time": `{"unschedulable":true,"since":"yesterday"}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCordon(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) || got != (Cordon{}) || !strings.Contains(err.Error(), path+" is damaged: ") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is not set aside: %v", name, err)
		}
	}
}

// A cordoned node has Kubernetes' field and taint: kubernetes, pkg/controller/nodelifecycle.
func TestCordonShow(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	var n corev1.Node
	if (Cordon{Since: since, UntilBoot: "b"}).Show(&n); !reflect.DeepEqual(n, corev1.Node{}) {
		t.Errorf("a node that is not cordoned: %+v", n)
	}
	n.Spec.Taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoExecute}}
	Cordon{Unschedulable: true, Since: since}.Show(&n)
	at := metav1.NewTime(since)
	want := []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoExecute}, {Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule, TimeAdded: &at}}
	if !n.Spec.Unschedulable || !reflect.DeepEqual(n.Spec.Taints, want) || n.Annotations != nil {
		t.Errorf("%+v", n)
	}
	n = corev1.Node{}
	if (Cordon{Unschedulable: true, Since: since, UntilBoot: "b"}).Show(&n); n.Annotations["podd.dev/uncordon-after-boot"] != "true" || len(n.Spec.Taints) != 1 {
		t.Errorf("until the next boot: %+v", n)
	}
}

// Memory that is set aside as huge pages is no memory for pods, and never less than none; what is given is left as it was.
func TestAllocatable(t *testing.T) {
	t.Parallel()
	list := func(pairs ...string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for i := 0; i < len(pairs); i += 2 {
			out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
		}
		return out
	}
	for _, tc := range []struct {
		name           string
		capacity, want corev1.ResourceList
	}{
		{"nothing", list(), list()},
		{"no huge pages", list("memory", "1Gi", "cpu", "2"), list("memory", "1Gi", "cpu", "2")},
		{"of two sizes", list("memory", "4Gi", "hugepages-2Mi", "512Mi", "hugepages-1Gi", "2Gi"), list("memory", "1536Mi", "hugepages-2Mi", "512Mi", "hugepages-1Gi", "2Gi")},
		{"more than there is", list("memory", "1Gi", "hugepages-1Gi", "2Gi"), list("memory", "0", "hugepages-1Gi", "2Gi")},
		{"memory is not known", list("cpu", "1", "hugepages-1Gi", "2Gi"), list("cpu", "1", "hugepages-1Gi", "2Gi")},
	} {
		before := tc.capacity.DeepCopy()
		got := Allocatable(tc.capacity)
		if len(got) != len(tc.want) {
			t.Errorf("%s: %v", tc.name, got)
		}
		for name, want := range tc.want {
			if q := got[name]; q.Cmp(want) != 0 {
				t.Errorf("%s: %s is %s, want %s", tc.name, name, q.String(), want.String())
			}
		}
		for name, want := range before {
			if q := tc.capacity[name]; q.Cmp(want) != 0 || len(tc.capacity) != len(before) {
				t.Errorf("%s: the capacity itself became %v", tc.name, tc.capacity)
			}
		}
	}
}
