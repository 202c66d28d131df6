package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/state"
	"podd/runtime/token"
)

// longestUse is how long a token stays in a pod, however long it would be good. It is the kubelet's.
const longestUse = 24 * time.Hour

// tokens signs the tokens of pods and remembers those that are in use, so that a volume that is written again has the
// same one until it is due.
type tokens struct {
	path    string
	damaged atomicfile.Report

	mu  sync.Mutex
	key *token.Key // nil until it is needed
	use map[tokenUse]issued
	// clock tells of a jump of the clock; it is there once there is a token.
	clock *os.File
}

type tokenUse struct {
	uid      types.UID
	audience string
	life     time.Duration
}

type issued struct {
	text  string
	renew state.BootTime // since boot
}

func newTokens(root string, damaged atomicfile.Report) *tokens {
	return &tokens{damaged: damaged, path: filepath.Join(root, "keys", "token.pem"), use: map[tokenUse]issued{}}
}

// signer reads the board's key, and makes it the first time.
func (t *tokens) signer() (*token.Key, error) {
	if t.key != nil {
		return t.key, nil
	}
	err := atomicfile.Load(t.path, maxTokenKey, func(text []byte) (err error) {
		t.key, err = token.Parse(text)
		return err
	})
	if t.damaged.Of(err, "a new key signs the tokens of pods: who verifies them needs its keys again") || errors.Is(err, fs.ErrNotExist) {
		t.key, err = t.generate()
	}
	if err != nil {
		t.key = nil
		return nil, fmt.Errorf("cannot use the board's key %s: %w", t.path, err)
	}
	return t.key, nil
}

// maxTokenKey is more than a key has, in bytes.
const maxTokenKey = 64 << 10

func (t *tokens) generate() (*token.Key, error) {
	text, err := token.Generate()
	if err == nil {
		err = atomicfile.Create(t.path, text)
	}
	if err != nil {
		return nil, err
	}
	return token.Parse(text)
}

// issuer names this board in its tokens. Nobody resolves .internal (ICANN, 2024).
func (r *Runtime) issuer() string { return "https://" + r.NodeName + ".podd.internal" }

// Token is a token that says who a pod is. It is another one once four fifths of its life are over, or a day, and after
// a jump of the clock.
func (r *Runtime) Token(pod *corev1.Pod, audience string, life time.Duration) (string, error) {
	text, err := r.tokenAt(pod, audience, life, state.Now())
	if err == nil {
		r.watchClock()
	}
	return text, err
}

func (r *Runtime) tokenAt(pod *corev1.Pod, audience string, life time.Duration, now state.Instant) (string, error) {
	t := r.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	key, err := t.signer()
	if err != nil {
		return "", err
	}
	use := tokenUse{pod.UID, cmp.Or(audience, r.issuer()), life}
	if have, ok := t.use[use]; ok && now.Mono < have.renew {
		return have.text, nil
	}
	account := cmp.Or(pod.Spec.ServiceAccountName, "default")
	subject := token.Subject{
		Namespace: pod.Namespace, Account: account, Pod: pod.Name, PodUID: string(pod.UID), Node: r.NodeName, NodeUID: nodeUID,
	}
	if o := r.objects.Get("ServiceAccount", pod.Namespace, account); o != nil {
		subject.AccountUID = string(o.UID)
	}
	text, err := key.Sign(r.issuer(), use.audience, subject, now.Wall, life)
	if err != nil {
		return "", err
	}
	t.use[use] = issued{text, now.After(min(life*4/5, longestUse))}
	return text, nil
}

// due is when the first token of a pod is to be another one (since boot); 0: it has none.
func (t *tokens) due(uid types.UID) state.BootTime {
	t.mu.Lock()
	defer t.mu.Unlock()
	var first state.BootTime
	for use, have := range t.use {
		if use.uid == uid && (first == 0 || have.renew < first) {
			first = have.renew
		}
	}
	return first
}

// forget drops the tokens of a pod, or with "" all: the next ones are new.
func (t *tokens) forget(uid types.UID) (pods []types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for use := range t.use {
		if uid == "" || use.uid == uid {
			pods = append(pods, use.uid)
			delete(t.use, use)
		}
	}
	return pods
}

// renewTokens writes the tokens of a pod anew when they are due, and says when to look again (since boot; 0: never).
func (r *Runtime) renewTokens(p *pod, now state.Instant) state.BootTime {
	if p.refresh || !p.rec.Volumes.Ready {
		return 0
	}
	by := r.tokens.due(p.rec.UID)
	if by == 0 || now.Mono < by {
		return by
	}
	p.refresh = true
	return 0
}

// clockSet gives every pod tokens of the new time: a board without a battery starts in 1970.
func (r *Runtime) clockSet() {
	for _, uid := range r.tokens.forget("") {
		if p := r.pods[uid]; p != nil {
			r.refreshVolumes(p)
		}
	}
}

// watchClock asks the kernel to tell of jumps of the clock: a timer that never ends is readable when the clock is set.
// man 2 timerfd_create, TFD_TIMER_CANCEL_ON_SET
func (r *Runtime) watchClock() {
	r.tokens.mu.Lock()
	defer r.tokens.mu.Unlock()
	if r.tokens.clock != nil {
		return
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err == nil {
		r.tokens.clock = os.NewFile(uintptr(fd), "clock")
		err = armClock(fd)
	}
	if err == nil {
		_, err = r.io.Reactor.Add(fd, func() bool {
			var count [8]byte
			_, _ = unix.Read(fd, count[:]) // ECANCELED
			r.inbox.put(msgClock{})
			return armClock(fd) != nil
		})
	}
	if err != nil {
		r.Log.Warn("tokens may be out of date after a jump of the clock", "error", err)
	}
}

func armClock(fd int) error {
	// As far away in seconds as the processor's time reaches, within reason.
	const never = 1<<(31+9*(^uint(0)>>63)) - 1
	return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &unix.ItimerSpec{Value: unix.Timespec{Sec: never}}, nil)
}

// OpenID is what a verifier of tokens needs: the document of discovery and the keys.
func (r *Runtime) OpenID() (discovery, keys []byte, err error) {
	r.tokens.mu.Lock()
	key, err := r.tokens.signer()
	r.tokens.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	if discovery, err = token.Discovery(r.issuer()); err != nil {
		return nil, nil, err
	}
	keys, err = key.JWKS()
	return discovery, keys, err
}
