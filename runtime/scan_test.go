package runtime

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/hostfile"
	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/event"
	"podd/runtime/manifest"
	"podd/runtime/service"
	"podd/runtime/state"
)

// slowFolder answers when it is told to.
type slowFolder struct {
	t       *testing.T
	began   chan struct{}
	answers chan manifest.Set
}

func (f *slowFolder) Scan(time.Time) manifest.Set {
	f.began <- struct{}{}
	return <-f.answers
}

func (f *slowFolder) Unanswered() manifest.Problem {
	return manifest.Problem{File: "/m", Reason: manifest.ReasonHangs, Message: "manifest folder /m: it does not answer"}
}

// step takes in one message, that somebody is about to send.
func (f *slowFolder) step(r *Runtime) {
	f.t.Helper()
	select {
	case <-r.inbox.ring:
		r.step()
	case <-time.After(10 * time.Second):
		f.t.Fatal("nothing was said to the loop")
	}
}

// nobody forwards to Services and answers names.
type nobody struct{}

func (nobody) Apply(netns.ServiceTable) error                { return nil }
func (nobody) InUse(netip.Addr, netns.Protocol, uint16) bool { return false }
func (nobody) Overlaps() []netip.Prefix                      { return nil }
func (nobody) Addrs() []netip.Addr                           { return nil }
func (nobody) SetServers([]netip.AddrPort)                   {}
func (nobody) SetZone(*dns.Zone)                             {}

func newSlowFolder(t *testing.T) (*Runtime, *slowFolder, *event.Recorder) {
	r := testRuntime(t)
	f := &slowFolder{t, make(chan struct{}, 9), make(chan manifest.Set)}
	r.Folder, r.Network, r.NodeName = f, &stubborn{}, "n1"
	r.Forwarder, r.Names, r.HealthPorts = nobody{}, nobody{}, func([]service.HealthPort) {}
	r.services.Ports, r.services.HealthPorts, r.policies.Network = r.Forwarder, r.HealthPorts, r.Network
	r.HostIPs = func() ([]netip.Addr, error) { return nil, nil }
	recorder := event.Open(event.Options{})
	r.Events = recorder
	t.Cleanup(func() { r.disk.Wait(); r.network.forwarding.Wait() })
	return r, f, recorder
}

func messages(r *event.Recorder, reason string) (found []string) {
	list, _ := r.List("")
	for _, e := range list {
		for range e.Count {
			if e.Reason == reason {
				found = append(found, e.Message)
			}
		}
	}
	return found
}

// TestAFolderThatHangs: the loop goes on, says so once, keeps what the folder said last, and goes on when it answers. One
// goroutine waits for the folder, however often somebody asks for it.
func TestAFolderThatHangs(t *testing.T) {
	r, f, events := newSlowFolder(t)
	pod := manifest.Pod{Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u1"}}, File: "/m/web.yaml", Hash: "h"}
	held := r.with("u1")
	held.Record, held.Busy = state.NewRecord("u1", pod.Object, state.Now()), true // nothing is begun in this test
	if err := errors.Join(os.MkdirAll(r.records.Dir, 0o700), r.records.Write(held.Record)); err != nil {
		t.Fatal(err)
	}
	now := state.Now()
	for range 5 {
		r.scan.begin(now)
	}
	<-f.began

	// At the start: the pods of the records are wanted, and nobody touched them before that was known.
	r.mark("u1")
	r.step()
	if !r.dirty["u1"] {
		t.Error("a pod was decided on before anybody knew what is wanted")
	}
	late := state.Instant{Wall: now.Wall, Mono: r.scan.began.Add(scanPatience)}
	for range 3 {
		r.scan.check(late)
	}
	if !r.wanted(held) || r.objects.Known() || r.scanned {
		t.Errorf("wanted %t, Services known %t, folder seen %t", r.wanted(held), r.objects.Known(), r.scanned)
	}
	if said := messages(events, manifest.ReasonHangs); len(said) != 1 {
		t.Errorf("said: %q", said)
	}
	if text := r.conditions.manifests.Text(); !strings.Contains(text, "does not answer") {
		t.Errorf("the node says %q", text)
	}
	if _, known := r.Store().Pods(); known == 0 {
		t.Error("no pods are published")
	}

	// It answers: what is in it counts, and what was asked for meanwhile is asked for again.
	f.answers <- manifest.Set{Pods: []manifest.Pod{pod}}
	f.step(r)
	<-f.began
	if len(r.problems) != 0 || !r.scanned || !r.wanted(held) || r.conditions.manifests.Text() != "" {
		t.Errorf("problems %v, seen %t, wanted %t", r.problems, r.scanned, r.wanted(held))
	}

	// And hangs again: a reload does not wait for it.
	r.scan.check(state.Instant{Mono: r.scan.began.Add(scanPatience)})
	reloaded := make(chan error, 1)
	go func() { reloaded <- r.Rescan(t.Context()) }()
	for waiting := true; waiting; {
		select {
		case err := <-reloaded:
			if err != nil {
				t.Error(err)
			}
			waiting = false
		case <-r.inbox.ring:
			r.step()
			r.scan.check(state.Instant{Mono: r.scan.began.Add(scanPatience)})
		case <-time.After(10 * time.Second):
			t.Fatal("the reload waits")
		}
	}
	if !r.wanted(held) || len(messages(events, manifest.ReasonHangs)) != 2 {
		t.Errorf("wanted %t, said %q", r.wanted(held), messages(events, manifest.ReasonHangs))
	}
	f.answers <- manifest.Set{Pods: []manifest.Pod{pod}}
	f.step(r)
	<-f.began
	close(f.answers)
	f.step(r)
	if len(f.began) > 0 {
		t.Errorf("%d scans too many", len(f.began))
	}
}

// TestAListOfNameServersThatCannotBeRead: the loop does not wait for it more than once, and the servers of before stay.
func TestAListOfNameServersThatCannotBeRead(t *testing.T) {
	r, _, events := newSlowFolder(t)
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r.ResolvConf = func() string { return path }
	if err := os.WriteFile(path, []byte("nameserver 192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.resolver.readResolver()
	before := r.resolver.hostResolver.Load()
	release := make(chan struct{})
	r.resolver.resolvGuard.Patience = time.Millisecond
	if _, err := hostfile.Do(&r.resolver.resolvGuard, "", func() int { <-release; return 0 }); !errors.Is(err, hostfile.ErrHangs) {
		t.Fatal(err)
	}
	r.resolver.resolvGuard.Patience = time.Minute
	for range 3 {
		r.resolver.readResolver()
	}
	if r.resolver.hostResolver.Load() != before {
		t.Error("the name servers are forgotten")
	}
	if said := messages(events, "NetworkNotReady"); len(said) != 1 || !strings.Contains(said[0], "does not answer") {
		t.Errorf("said: %q", said)
	}
	// When it answers, the loop is told; a pipe in its place names none.
	if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-r.inbox.ring
	for _, m := range r.inbox.take() {
		r.receive(m, state.Now())
	}
	if r.resolver.hostResolver.Load() == before || r.conditions.network.Condition.Text() != "" {
		t.Errorf("still %v, %q", r.resolver.hostResolver.Load(), r.conditions.network.Condition.Text())
	}
}
