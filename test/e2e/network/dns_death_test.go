package network

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"podd/test/harness"
	"podd/test/lab"
)

// asker asks one name again and again, from within a pod, and goes on whether it is answered or not.
type asker struct {
	conn net.Conn
	want [4]byte
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	asked int
	right int
	last  time.Time     // of an answer
	gap   time.Duration // the longest between two answers
	wrong []string
}

// ask begins to ask for a name's address every 10 ms.
func ask(b *harness.Board, pod, name string, want [4]byte) *asker {
	b.T.Helper()
	a := &asker{want: want, stop: make(chan struct{}), last: time.Now()}
	b.Must(lab.InNetns(b.NetnsOf(pod), func() (err error) {
		a.conn, err = net.Dial("udp", gateway(b)+":53")
		return err
	}))
	question := dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	a.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for id := uint16(1); ; id++ {
			m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{question}}
			if request, err := m.Pack(); err == nil {
				_, _ = a.conn.Write(request) // refused while nobody listens
			}
			a.mu.Lock()
			a.asked++
			a.mu.Unlock()
			select {
			case <-a.stop:
				return
			case <-tick.C:
			}
		}
	})
	a.done.Go(func() {
		for buf := make([]byte, 512); ; {
			n, err := a.conn.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				a.hear(buf[:n])
			}
		}
	})
	b.T.Cleanup(a.end)
	return a
}

func (a *asker) hear(answer []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		a.wrong = append(a.wrong, err.Error())
		return
	}
	var ip [4]byte
	if len(m.Answers) == 1 {
		if r, ok := m.Answers[0].Body.(*dnsmessage.AResource); ok {
			ip = r.A
		}
	}
	if m.RCode != dnsmessage.RCodeSuccess || ip != a.want {
		a.wrong = append(a.wrong, fmt.Sprintf("%s, %v", m.RCode, ip))
		return
	}
	a.right++
	now := time.Now()
	a.gap, a.last = max(a.gap, now.Sub(a.last)), now
}

// more waits for so many right answers from now on.
func (a *asker) more(b *harness.Board, n int) {
	b.T.Helper()
	a.mu.Lock()
	enough := a.right + n
	a.mu.Unlock()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.right >= enough, fmt.Errorf("%d right answers, want %d; wrong: %v", a.right, enough, a.wrong)
	}))
}

func (a *asker) end() {
	if a.stop != nil {
		close(a.stop)
		a.conn.Close()
		a.done.Wait()
		a.stop = nil
	}
}

// Pods ask while the daemon is killed: they are answered again, never wrongly, and connections to Services are made and
// go on without it. With a keeper of descriptors not one question is lost.
func TestNamesAndServicesOverTheDaemonsDeath(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]harness.Option{"kept": {harness.WithFDStore}, "alone": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBoard(t, options...)
			b.MustDrop("svc", harness.ServiceOf("echo", "selector: {app: echo}", "ports: [{port: 80, targetPort: 8081}]"))
			b.MustDrop("echo", labelled(harness.OnePod("echo", "exec nc -ll -p 8081 -e cat"), "echo"))
			for i := range 10 {
				name := fmt.Sprint("idle", i)
				b.MustDrop(name, harness.OnePod(name, harness.Forever))
				b.Running(name)
			}
			b.Running("echo")
			ip := b.Service("echo").Spec.ClusterIP
			a := ask(b, "idle0", "echo.default.svc.cluster.local.", [4]byte(net.ParseIP(ip).To4()))
			a.more(b, 20)
			stream := b.Connect(net.JoinHostPort(ip, "80"))
			stream.Exchange(t, "at first")
			for range 5 {
				b.MustKill9()
				stream.Exchange(t, "without a daemon")
				if options == nil {
					b.Connect(net.JoinHostPort(ip, "80")).Exchange(t, "on a connection made without a daemon")
					b.Must(b.Start())
				}
				a.more(b, 20)
			}
			stream.Exchange(t, "with the last daemon")
			a.end()
			t.Logf("asked %d, answered %d, at most %v without an answer", a.asked, a.right, a.gap)
			if len(a.wrong) > 0 {
				slices.Sort(a.wrong)
				t.Errorf("%d wrong answers: %v", len(a.wrong), slices.Compact(a.wrong))
			}
		})
	}
}
