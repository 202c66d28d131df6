package serviceaccount

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/manifest/defaults"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// watched counts who wants to hear of a descriptor.
type watched struct{ count int }

func (w *watched) Add(int, func() bool) (int32, error) {
	w.count++
	return 0, nil
}

func newManager(t *testing.T, folder ...manifest.Object) *Manager {
	t.Helper()
	m := &Manager{
		KeyFile: filepath.Join(t.TempDir(), "keys", "token.pem"), NodeName: "here", NodeUID: "podd", Objects: &objects.Desired{},
		Reactor: &watched{}, Log: slog.New(slog.DiscardHandler),
	}
	m.Objects.Replace(folder, time.Now())
	t.Cleanup(func() {
		if m.clock != nil {
			_ = m.clock.Close()
		}
	})
	return m
}

func account(name string, automount *bool) manifest.Object {
	value := &corev1.ServiceAccount{AutomountServiceAccountToken: automount}
	return manifest.Object{Kind: "ServiceAccount", Namespace: "default", Name: name, UID: types.UID("uid-of-" + name), Hash: "1", Value: value}
}

func newPod(uid types.UID, account string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID, p.Spec.ServiceAccountName = "default", "pod", uid, account
	return p
}

type claims struct {
	Aud        []string
	Iss, Sub   string
	Nbf, Exp   int64
	Kubernetes struct {
		Serviceaccount, Pod, Node struct{ Name, UID string }
	} `json:"kubernetes.io"`
}

func read(t *testing.T, text string) (c claims) {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *Manager) must(t *testing.T, pod *corev1.Pod, audience string, life time.Duration, now state.Instant) string {
	t.Helper()
	text, err := m.Token(pod, audience, life, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var start = state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}

// A token is another one when four fifths of its life or a day are over, on the clock that does not jump.
func TestRotation(t *testing.T) {
	for _, tt := range []struct{ life, due time.Duration }{
		{10 * time.Minute, 8 * time.Minute},
		{3607 * time.Second, 3607 * time.Second * 4 / 5},
		{30 * time.Hour, 24 * time.Hour},
		{365 * 24 * time.Hour, 24 * time.Hour},
	} {
		m, pod := newManager(t), newPod("u", "")
		at := func(d time.Duration) string {
			t.Helper()
			return m.must(t, pod, "", tt.life, state.Instant{Wall: start.Wall.Add(d), Mono: start.After(d)})
		}
		first := at(0)
		if until := time.Unix(read(t, first).Exp, 0); !until.Equal(start.Wall.Add(tt.life)) {
			t.Errorf("life %s: good until %s", tt.life, until)
		}
		if m.RenewAt("u") != start.After(tt.due) {
			t.Errorf("life %s: due after %s, want %s", tt.life, m.RenewAt("u")-start.Mono, tt.due)
		}
		if at(tt.due-time.Second) != first {
			t.Errorf("life %s: another one before it is due", tt.life)
		}
		if at(tt.due) == first {
			t.Errorf("life %s: not replaced when due", tt.life)
		}
		if m.RenewAt("u") != start.After(2*tt.due) {
			t.Errorf("life %s: the second one is not due in its turn", tt.life)
		}
		if m.Reactor.(*watched).count != 1 {
			t.Errorf("the clock is watched %d times", m.Reactor.(*watched).count)
		}
	}
}

// After a jump of the clock a token is good from the new time on, and due as long after it as always.
func TestAfterAJump(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, jump := range map[string][2]time.Time{
		"from 1970": {time.Unix(30, 0), now},
		"forward":   {now, now.Add(26 * time.Hour)},
		"back":      {now, now.Add(-26 * time.Hour)},
	} {
		m, pod := newManager(t), newPod("u", "")
		before := state.Instant{Wall: jump[0], Mono: state.BootTime(30 * time.Second)}
		after := state.Instant{Wall: jump[1], Mono: state.BootTime(31 * time.Second)}
		old := m.must(t, pod, "vault", time.Hour, before)
		if pods := m.ForgetAll(); len(pods) != 1 || pods[0] != "u" {
			t.Errorf("%s: forgotten are the tokens of %v", name, pods)
		}
		fresh := m.must(t, pod, "vault", time.Hour, after)
		c := read(t, fresh)
		if fresh == old || time.Unix(c.Nbf, 0).After(after.Wall) || !time.Unix(c.Exp, 0).Equal(after.Wall.Add(time.Hour)) {
			t.Errorf("%s: at %s the token is good from %d until %d", name, after.Wall, c.Nbf, c.Exp)
		}
		if by := m.RenewAt("u"); by != after.After(48*time.Minute) {
			t.Errorf("%s: due at %s since boot", name, by)
		}
	}
}

// A token says who the pod is; each audience, life and pod has its own, and one that is forgotten is made anew.
func TestTokens(t *testing.T) {
	m := newManager(t, account("robot", nil))
	if m.RenewAt("u1") != 0 {
		t.Error("a token that nobody asked for is due")
	}
	text := m.must(t, newPod("u1", "robot"), "", time.Hour, start)
	c := read(t, text)
	k := c.Kubernetes
	if c.Sub != "system:serviceaccount:default:robot" || k.Serviceaccount.UID != "uid-of-robot" || k.Pod.UID != "u1" || k.Pod.Name != "pod" || k.Node.Name != "here" || k.Node.UID != "podd" {
		t.Errorf("it says %+v", c)
	}
	if c.Iss != "https://here.podd.internal" || len(c.Aud) != 1 || c.Aud[0] != c.Iss {
		t.Errorf("issued by %s for %v", c.Iss, c.Aud)
	}
	nobody := read(t, m.must(t, newPod("u2", ""), "", time.Hour, start))
	if nobody.Sub != "system:serviceaccount:default:default" || nobody.Kubernetes.Serviceaccount.UID != "" {
		t.Errorf("without an account: %+v", nobody)
	}
	if m.must(t, newPod("u1", "robot"), c.Iss, time.Hour, start) != text {
		t.Error("podd's own audience by its name has another token")
	}
	short := m.must(t, newPod("u1", "robot"), "vault", 10*time.Minute, start)
	if short == text || m.RenewAt("u1") != start.After(8*time.Minute) || m.RenewAt("u2") != start.After(48*time.Minute) {
		t.Errorf("due at %s and %s", m.RenewAt("u1"), m.RenewAt("u2"))
	}
	m.Forget("u1")
	if m.RenewAt("u1") != 0 || m.RenewAt("u2") == 0 {
		t.Error("the tokens of the wrong pod are forgotten")
	}
	if m.must(t, newPod("u1", "robot"), "", time.Hour, start) == text {
		t.Error("a token that was forgotten is there again")
	}
}

// The key outlives the daemon. One that is damaged is set aside and told of; one that cannot be read is not replaced.
func TestKey(t *testing.T) {
	m := newManager(t)
	discovery, keys, err := m.OpenID()
	if err != nil || !strings.Contains(string(discovery), `"issuer":"https://here.podd.internal"`) {
		t.Fatalf("%s, %v", discovery, err)
	}
	next := newManager(t)
	next.KeyFile = m.KeyFile
	if _, again, err := next.OpenID(); err != nil || string(again) != string(keys) {
		t.Errorf("the next daemon has other keys: %s, %v", again, err)
	}
	if err := os.WriteFile(m.KeyFile, []byte("rust"), 0o600); err != nil {
		t.Fatal(err)
	}
	var lost string
	damaged := newManager(t)
	damaged.KeyFile, damaged.Damaged = m.KeyFile, func(_ *atomicfile.Damage, what string) { lost = what }
	if _, other, err := damaged.OpenID(); err != nil || string(other) == string(keys) || !strings.Contains(lost, "a new key") {
		t.Errorf("after damage: %s, %v, told %q", other, err, lost)
	}
	blocked := newManager(t)
	blocked.KeyFile = "/proc/none/token.pem" // no folder can be made there
	if _, err := blocked.Token(newPod("u", ""), "", time.Hour, start); err == nil || !strings.Contains(err.Error(), blocked.KeyFile) {
		t.Errorf("a key that cannot be made: %v", err)
	}
	if _, _, err := blocked.OpenID(); err == nil {
		t.Error("keys without a key")
	}
}

// refusing is a reactor that is full.
type refusing struct{}

func (refusing) Add(int, func() bool) (int32, error) { return 0, errors.New("full") }

// Without word of the clock there are tokens all the same.
func TestClockUnwatched(t *testing.T) {
	m := newManager(t)
	m.Reactor = refusing{}
	if m.must(t, newPod("u", ""), "", time.Hour, start) == "" {
		t.Error("no token")
	}
}

func TestAdmit(t *testing.T) {
	yes, no := true, false
	m := newManager(t, account("mount", &yes), account("nomount", &no), account("silent", nil))
	running := func(mounts bool) *corev1.Pod { return defaults.WithToken(newPod("old", "mount"), mounts) }
	said := newPod("old", "mount")
	said.Spec.AutomountServiceAccountToken = &yes
	for _, tt := range []struct {
		name, account string
		field         *bool
		running       *corev1.Pod
		want          bool
	}{
		{"account wants", "mount", nil, nil, true},
		{"account refuses", "nomount", nil, nil, false},
		{"account silent", "silent", nil, nil, false},
		{"no account", "absent", nil, nil, false},
		{"pod refuses", "mount", &no, nil, false},
		{"as it runs, with", "nomount", nil, running(true), true},
		{"as it runs, without", "mount", nil, running(false), false},
		{"what runs said so itself", "nomount", nil, said, false},
	} {
		object := newPod("u", tt.account)
		object.Spec.AutomountServiceAccountToken = tt.field
		p := &manifest.Pod{Object: object, File: "/m/x.yaml"}
		out := m.Admit(p, tt.running)
		if defaults.MountsToken(out.Object) != tt.want || out.File != p.File {
			t.Errorf("%s: mounts a token: %t", tt.name, !tt.want)
		}
		if defaults.MountsToken(object) {
			t.Errorf("%s: the manifest's own object has changed", tt.name)
		}
	}
}
