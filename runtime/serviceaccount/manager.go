// Package serviceaccount gives pods what they have of their ServiceAccounts: the mount of a token, and the tokens that say
// who a pod is.
package serviceaccount

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/manifest/defaults"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/token"
)

// Manager signs the tokens of pods and remembers those that are in use, so that a volume that is written again has the same
// one until it is due. It belongs to the loop.
type Manager struct {
	KeyFile           string // the board's key, PEM; it is made the first time it is needed
	NodeName, NodeUID string
	Objects           *objects.Desired
	Damaged           atomicfile.Report
	// ClockSet is called, by the reactor, when the clock has jumped and there are tokens.
	ClockSet func()
	Reactor  Reactor
	Log      *slog.Logger

	key   *token.Key // nil until it is needed
	inUse map[request]issued
	clock *os.File // tells of a jump of the clock; it is there once there is a token
}

// request is what a token was asked for: the pod, for whom, and for how long.
type request struct {
	uid      types.UID
	audience string
	life     time.Duration
}

type issued struct {
	text  string
	renew state.BootTime // since boot
}

// maxUse is how long a token stays in a pod, however long it would be good. It is the kubelet's.
const maxUse = 24 * time.Hour

// Token is a token that says who a pod is; "" asks for podd's own audience. It is another one once four fifths of its life
// are over, or a day, and after Forget.
func (m *Manager) Token(pod *corev1.Pod, audience string, life time.Duration, now state.Instant) (string, error) {
	key, err := m.signer()
	if err != nil {
		return "", err
	}
	req := request{pod.UID, cmp.Or(audience, m.issuer()), life}
	if have, ok := m.inUse[req]; ok && now.Mono < have.renew {
		return have.text, nil
	}
	subject := token.Subject{
		Namespace: pod.Namespace, Account: nameOf(pod), Pod: pod.Name, PodUID: string(pod.UID), Node: m.NodeName, NodeUID: m.NodeUID,
	}
	if o := m.object(pod); o != nil {
		subject.AccountUID = string(o.UID)
	}
	text, err := key.Sign(m.issuer(), req.audience, subject, now.Wall, life)
	if err != nil {
		return "", err
	}
	if m.inUse == nil {
		m.inUse = map[request]issued{}
	}
	m.inUse[req] = issued{text, now.After(min(life*4/5, maxUse))}
	m.WatchClock()
	return text, nil
}

// RenewAt is when the first token of a pod is to be another one (since boot); 0: it has none.
func (m *Manager) RenewAt(uid types.UID) state.BootTime {
	var first state.BootTime
	for req, have := range m.inUse {
		if req.uid == uid && (first == 0 || have.renew < first) {
			first = have.renew
		}
	}
	return first
}

// Forget drops the tokens of a pod: the next ones are new.
func (m *Manager) Forget(uid types.UID) {
	for req := range m.inUse {
		if req.uid == uid {
			delete(m.inUse, req)
		}
	}
}

// ForgetAll drops all tokens, and returns the pods that have them, some more than once.
func (m *Manager) ForgetAll() (pods []types.UID) {
	for req := range m.inUse {
		pods = append(pods, req.uid)
	}
	clear(m.inUse)
	return pods
}

// OpenID is what a verifier of tokens needs: the document of discovery and the keys.
func (m *Manager) OpenID() (discovery, keys []byte, err error) {
	key, err := m.signer()
	if err != nil {
		return nil, nil, err
	}
	if discovery, err = token.Discovery(m.issuer()); err != nil {
		return nil, nil, err
	}
	keys, err = key.JWKS()
	return discovery, keys, err
}

// Admit settles whether a pod that does not say whether it wants a token gets one: as the pod of its name that runs has it,
// nil if none does, or else as its ServiceAccount says. As in Kubernetes a later change of the ServiceAccount leaves the pod
// alone.
func (m *Manager) Admit(p *manifest.Pod, running *corev1.Pod) *manifest.Pod {
	if p.Object.Spec.AutomountServiceAccountToken != nil {
		return p
	}
	var wanted bool
	if running != nil && running.Spec.AutomountServiceAccountToken == nil {
		wanted = defaults.MountsToken(running)
	} else if says := m.automount(p.Object); says != nil {
		wanted = *says
	} else {
		return p
	}
	out := *p
	out.Object = defaults.WithToken(p.Object, wanted)
	return &out
}

// automount is what the ServiceAccount of a pod says about the mount of a token, nil if it says nothing or is not there.
func (m *Manager) automount(pod *corev1.Pod) *bool {
	if o := m.object(pod); o != nil {
		return o.Value.(*corev1.ServiceAccount).AutomountServiceAccountToken
	}
	return nil
}

// object is the ServiceAccount of a pod if the folder has it, or nil.
func (m *Manager) object(pod *corev1.Pod) *manifest.Object {
	return m.Objects.Get("ServiceAccount", pod.Namespace, nameOf(pod))
}

// nameOf is the name of a pod's ServiceAccount.
func nameOf(pod *corev1.Pod) string { return cmp.Or(pod.Spec.ServiceAccountName, "default") }

// issuer names this board in its tokens. Nobody resolves .internal (ICANN, 2024).
func (m *Manager) issuer() string { return "https://" + m.NodeName + ".podd.internal" }

// signer reads the board's key, and makes it the first time.
func (m *Manager) signer() (*token.Key, error) {
	if m.key != nil {
		return m.key, nil
	}
	err := atomicfile.Load(m.KeyFile, maxKeyFile, func(text []byte) (err error) {
		m.key, err = token.Parse(text)
		return err
	})
	if m.Damaged.Of(err, "a new key signs the tokens of pods: who verifies them needs its keys again") || errors.Is(err, fs.ErrNotExist) {
		m.key, err = m.generate()
	}
	if err != nil {
		m.key = nil
		return nil, fmt.Errorf("cannot use the board's key %s: %w", m.KeyFile, err)
	}
	return m.key, nil
}

// maxKeyFile is more than a key has, in bytes.
const maxKeyFile = 64 << 10

func (m *Manager) generate() (*token.Key, error) {
	text, err := token.Generate()
	if err == nil {
		err = atomicfile.Create(m.KeyFile, text)
	}
	if err != nil {
		return nil, err
	}
	return token.Parse(text)
}
