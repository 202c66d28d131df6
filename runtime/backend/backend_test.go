package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/images"
	"podd/images/imagetest"
	"podd/runtime"
	"podd/runtime/api"
	"podd/runtime/api/hub"
	"podd/runtime/api/protocol"
	"podd/runtime/api/stream"
	"podd/runtime/event"
	"podd/runtime/imagepull"
)

// board is a backend whose loop does not run: what asks it waits as long as the caller does.
func board(t *testing.T) *Backend {
	t.Helper()
	r, err := runtime.New(runtime.Config{RunDir: t.TempDir(), RootDir: t.TempDir(), LogDir: t.TempDir(), NodeName: "board", Log: slog.New(slog.DiscardHandler), HostIPs: func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := images.Open(t.TempDir(), images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &Backend{Runtime: r, ImageStore: store, Puller: &imagepull.Puller{Store: store}, Version: "v1.2.3", Labels: func() map[string]string { return map[string]string{"site": "roof"} }}
	b.Handlers = new(atomic.Pointer[[]string])
	b.Handlers.Store(&[]string{"strict"})
	return b
}

// codeOf is the HTTP code that the API answers an error with.
func codeOf(err error) int32 {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code
	}
	return http.StatusInternalServerError
}

func TestImageErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int32{
		images.ErrNotFound: 404, images.ErrInUse: 409, images.ErrRefused: 400, images.ErrTruncated: 400, images.ErrPlatform: 400, images.ErrBadName: 400,
		images.ErrNoSpace: 500, context.Canceled: 500, syscall.EIO: 500,
	} {
		wrapped := fmt.Errorf("cannot do it with app:1: %w", err)
		got := imageError(wrapped)
		if codeOf(got) != want || got.Error() != wrapped.Error() || !errors.Is(got, err) {
			t.Errorf("%v: %d %v, want %d", err, codeOf(got), got, want)
		}
	}
	if imageError(nil) != nil {
		t.Error("no error is one")
	}
}

func archive(t *testing.T, names ...string) []byte {
	t.Helper()
	data, err := imagetest.OCIArchive(imagetest.Image{Names: names, Config: imagetest.Config{Cmd: []string{"/app"}}, Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("app", "x")}}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What is asked of the store is done there, and its sentences get their codes.
func TestImages(t *testing.T) {
	t.Parallel()
	b, ctx := board(t), t.Context()
	if list := b.Images(); len(list) != 0 {
		t.Errorf("an empty store has %+v", list)
	}
	loaded, err := b.LoadImage(ctx, bytes.NewReader(archive(t, "example.com/app:1")), api.ImageLoad{})
	if err != nil || len(loaded) != 1 || !slices.Equal(loaded[0].Names, []string{"example.com/app:1"}) || !strings.HasPrefix(loaded[0].ID, "sha256:") || loaded[0].Size == 0 || loaded[0].Platform == "" {
		t.Fatalf("loaded %+v, %v", loaded, err)
	}
	id := loaded[0].ID
	if full, err := b.TagImage(ctx, "example.com/app:1", "other"); full != "docker.io/library/other:latest" || err != nil {
		t.Errorf("tagged as %q, %v", full, err)
	}
	list := b.Images()
	if len(list) != 1 || list[0].ID != id || !slices.Equal(slices.Sorted(slices.Values(list[0].Names)), []string{"docker.io/library/other:latest", "example.com/app:1"}) {
		t.Errorf("the store has %+v", list)
	}
	for _, pin := range []bool{true, true, false, false} {
		if pinned, err := b.PinImage(ctx, "other", pin); pinned == "" || err != nil {
			t.Errorf("pin %t: %q, %v", pin, pinned, err)
		}
	}
	layers, err := b.ImageLayers(ctx, "example.com/app:1")
	if err != nil || layers.ID != id || len(layers.Layers) != 1 || !strings.HasPrefix(layers.Layers[0].DiffID, "sha256:") || layers.Layers[0].Size == 0 || !bytes.Contains(layers.Configuration, []byte(`"/app"`)) || len(layers.Manifest) == 0 {
		t.Errorf("layers %+v, %v", layers, err)
	}
	var saved bytes.Buffer
	if err := b.SaveImages(ctx, []string{"other"}, &saved); err != nil {
		t.Fatal(err)
	}
	again := board(t)
	if loaded, err := again.LoadImage(ctx, &saved, api.ImageLoad{}); err != nil || len(loaded) != 1 || loaded[0].ID != id {
		t.Errorf("what was saved is loaded as %+v, %v", loaded, err)
	}
	var reports []api.LayerVerified
	if err := b.VerifyImages(ctx, api.ImageVerify{}, func(l api.LayerVerified) { reports = append(reports, l) }); err != nil || len(reports) != 1 || reports[0].Error != "" || len(reports[0].Differences) != 0 || reports[0].Mended {
		t.Errorf("verified %+v, %v", reports, err)
	}
}

func TestImagesRefused(t *testing.T) {
	t.Parallel()
	b, ctx := board(t), t.Context()
	for name, tc := range map[string]struct {
		do   func() error
		code int32
	}{
		"no archive": {func() error { _, err := b.LoadImage(ctx, strings.NewReader("no tar"), api.ImageLoad{}); return err }, 400},
		"cut short": {func() error {
			_, err := b.LoadImage(ctx, bytes.NewReader(archive(t, "a:1")[:700]), api.ImageLoad{})
			return err
		}, 400},
		"tag":    {func() error { _, err := b.TagImage(ctx, "none", "x"); return err }, 404},
		"pin":    {func() error { _, err := b.PinImage(ctx, "none", true); return err }, 404},
		"unpin":  {func() error { _, err := b.PinImage(ctx, "none", false); return err }, 404},
		"layers": {func() error { _, err := b.ImageLayers(ctx, "none"); return err }, 404},
		"save":   {func() error { return b.SaveImages(ctx, []string{"none"}, new(bytes.Buffer)) }, 404},
		"verify": {func() error {
			return b.VerifyImages(ctx, api.ImageVerify{Refs: []string{"none"}}, func(api.LayerVerified) {})
		}, 404},
		"pull": {func() error {
			_, err := b.PullImage(ctx, api.ImagePull{Name: "a:1"}, func(api.PullStep) {})
			return err
		}, 400},
		"a bad name":  {func() error { _, err := b.ImageLayers(ctx, "UPPER:x y"); return err }, 400},
		"no bad name": {func() error { _, err := b.TagImage(ctx, "none", "UPPER"); return err }, 400},
	} {
		if err := tc.do(); err == nil || codeOf(err) != tc.code {
			t.Errorf("%s: %v, code %d, want %d", name, err, codeOf(err), tc.code)
		}
	}
	_, err := b.PullImage(ctx, api.ImagePull{Name: "a:1"}, nil)
	if want := "images are not pulled on this board: set pullImages: true in the configuration"; err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

// Who asks and goes away is not waited for: its error is that of its context.
func TestAskedByNobody(t *testing.T) {
	t.Parallel()
	b := board(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range map[string]func() error{
		"prune":  func() error { _, err := b.PruneImages(ctx, api.ImagePrune{}); return err },
		"delete": func() error { return b.DeletePod(ctx, "default", "web", &metav1.DeleteOptions{}) },
		"evict":  func() error { return b.EvictPod(ctx, "default", "web", nil) },
		"logs":   func() error { return b.Logs(ctx, "default", "web", &corev1.PodLogOptions{}, new(bytes.Buffer)) },
		"exec": func() error {
			_, err := b.Exec(ctx, "default", "web", &corev1.PodExecOptions{}, stream.Streams{})
			return err
		},
		"attach": func() error { return b.Attach(ctx, "default", "web", "c", stream.Streams{}) },
		"dial":   func() error { _, err := b.Dial(ctx, "default", "web", 80); return err },
		"backup": func() error { return b.BackupClaim(ctx, "default", "data", new(bytes.Buffer)) },
		"claim":  func() error { return b.DeleteClaim(ctx, "default", "data") },
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// recordedEvents is a log of events that a test writes.
type recordedEvents struct {
	EventLog
	changes chan event.Change
	err     error
	ended   atomic.Int32
}

func (r *recordedEvents) List(string) ([]corev1.Event, uint64) {
	return []corev1.Event{{Reason: "Started"}}, 7
}

func (r *recordedEvents) Watch(uint64) (<-chan event.Change, func(), error) {
	if r.err != nil {
		return nil, nil, r.err
	}
	return r.changes, func() { r.ended.Add(1); close(r.changes) }, nil
}

// Changes arrive in their order, and a watch that its client leaves ends, also while a change waits for the client.
func TestWatchEvents(t *testing.T) {
	t.Parallel()
	r := &recordedEvents{changes: make(chan event.Change, 3)}
	b := &Backend{EventLog: r}
	if list, rv := b.Events(); len(list) != 1 || list[0].Reason != "Started" || rv != 7 {
		t.Errorf("events %v at %d", list, rv)
	}
	out, cancel, err := b.WatchEvents(7)
	if err != nil {
		t.Fatal(err)
	}
	want := []hub.EventEvent{{Type: watch.Added, Event: &corev1.Event{Reason: "A"}, RV: 8}, {Type: watch.Modified, Event: &corev1.Event{Reason: "B"}, RV: 9}, {Type: watch.Deleted, RV: 10}}
	for _, e := range want {
		r.changes <- event.Change{Type: e.Type, Event: e.Event, RV: e.RV}
	}
	for _, e := range want[:2] {
		if got := <-out; got != e {
			t.Errorf("got %+v, want %+v", got, e)
		}
	}
	for range 2 {
		cancel()
	}
	for range out { // at most the one that waited
	}
	if r.ended.Load() != 1 {
		t.Errorf("the log was told %d times", r.ended.Load())
	}
	for from, to := range map[error]error{event.ErrTooOld: hub.ErrTooOld, syscall.EIO: syscall.EIO} {
		r.err = from
		if out, cancel, err := b.WatchEvents(1); !errors.Is(err, to) || out != nil || cancel != nil {
			t.Errorf("%v: %v", from, err)
		}
	}
}

// The sizes of a client's terminal are set as they come, until the command has ended; a client without a terminal has none.
func TestResize(t *testing.T) {
	t.Parallel()
	sizes, ended, set, done := make(chan protocol.Size), make(chan struct{}), make(chan string), make(chan struct{})
	s := stdioStreams(stream.Streams{Stdin: strings.NewReader("in"), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer), Resize: sizes})
	if s.Stdin == nil || s.Stdout == nil || s.Stderr == nil || s.Stdout == s.Stderr {
		t.Errorf("streams %+v", s)
	}
	go func() {
		defer close(done)
		s.Resize(func(width, height uint16) { set <- fmt.Sprint(width, "x", height) }, ended)
	}()
	for _, size := range []protocol.Size{{Width: 80, Height: 24}, {Width: 65535, Height: 1}} {
		sizes <- size
		if got := <-set; got != fmt.Sprint(size.Width, "x", size.Height) {
			t.Errorf("set %s of %+v", got, size)
		}
	}
	close(ended)
	<-done
	stdioStreams(stream.Streams{}).Resize(func(uint16, uint16) { t.Error("a size was set") }, ended)
}

func condition(n *corev1.Node, typ corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == typ {
			return &n.Status.Conditions[i]
		}
	}
	return nil
}

// The board as a Node: what it is and has, and as conditions what is wrong with it, only while it is.
func TestNode(t *testing.T) {
	t.Parallel()
	b := board(t)
	before := time.Now()
	n := b.Node()
	if n.Name != "board" || n.UID != "podd" || n.Labels["site"] != "roof" || n.ResourceVersion == "" || n.Spec.Unschedulable || !n.CreationTimestamp.Time.Before(before) {
		t.Errorf("node %+v", n.ObjectMeta)
	}
	memory, free := n.Status.Capacity[corev1.ResourceMemory], n.Status.Allocatable[corev1.ResourceMemory]
	if memory.Sign() <= 0 || free.Cmp(memory) > 0 || n.Status.NodeInfo.KubeletVersion != "v1.2.3" {
		t.Errorf("memory %s, allocatable %s; %+v", memory.String(), free.String(), n.Status.NodeInfo)
	}
	if h := n.Status.RuntimeHandlers; len(h) != 2 || h[0].Name != "" || h[1].Name != "strict" {
		t.Errorf("handlers %+v", h)
	}
	ready := condition(n, corev1.NodeReady)
	if ready == nil || ready.Status != corev1.ConditionTrue || ready.Reason != "PoddReady" || ready.LastHeartbeatTime.Time.Before(before.Truncate(time.Second)) || len(n.Status.Conditions) != 1 {
		t.Errorf("conditions %+v", n.Status.Conditions)
	}
	if want := []corev1.NodeAddress{{Type: "InternalIP", Address: "192.0.2.1"}, {Type: "InternalIP", Address: "2001:db8::1"}, {Type: "Hostname", Address: "board"}}; !slices.Equal(n.Status.Addresses, want) {
		t.Errorf("addresses %+v, want %+v", n.Status.Addresses, want)
	}
	problem, ailment := "", ""
	b.ConfigProblem, b.Ailments = func() string { return problem }, func() string { return ailment }
	if n := b.Node(); len(n.Status.Conditions) != 1 {
		t.Errorf("nothing is wrong: %+v", n.Status.Conditions)
	}
	problem, ailment = "podd.yaml: unknown key", "no clock"
	n = b.Node()
	if c := condition(n, api.ConfigAccepted); c == nil || c.Status != corev1.ConditionFalse || c.Reason != "ConfigRefused" || c.Message != problem {
		t.Errorf("the configuration: %+v", c)
	}
	if c := condition(n, api.BoardFit); c == nil || c.Status != corev1.ConditionFalse || c.Reason != "DoctorFinds" || c.Message != ailment {
		t.Errorf("the board: %+v", c)
	}
	b.Runtime.Conditions()[0].Set("bridge", "bridge: gone")
	if n := b.Node(); len(n.Status.Conditions) != 4 {
		t.Errorf("the network: %+v", n.Status.Conditions)
	}
	b.Runtime.Conditions()[0].Set("bridge", "")
	if n := b.Node(); len(n.Status.Conditions) != 3 || condition(n, corev1.NodeReady).Status != corev1.ConditionTrue {
		t.Errorf("the network is right again: %+v", n.Status.Conditions)
	}
}

// A connection to the machine's own network needs no namespace; who does not listen refuses.
func TestDialIn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	conn, err := dialIn(t.Context(), "", at)
	if err != nil || conn.RemoteAddr().String() != at.String() {
		t.Fatalf("%v, %v", conn, err)
	}
	_ = conn.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := dialIn(t.Context(), "", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v, %v", conn, err)
	}
	if conn, err := dialIn(t.Context(), t.TempDir()+"/none", netip.MustParseAddrPort("127.0.0.1:1")); err == nil || conn != nil {
		t.Errorf("in no namespace: %v, %v", conn, err)
	}
}
