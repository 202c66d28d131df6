package runtime

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// A pod's volumes are written anew when a token is due, and when the clock is set: a board without a battery starts in 1970
// and learns the date while its pods run.
func TestTokensAreWrittenAnew(t *testing.T) {
	r := testRuntime(t)
	p := r.with("u")
	p.Record.Object.UID = "u"
	p.Record.Object.Spec.Volumes = []corev1.Volume{{Name: "token"}}
	p.Record.Volumes.Ready = true
	now := state.Instant{Wall: time.Unix(30, 0), Mono: state.BootTime(30 * time.Second)}
	if _, err := r.accounts.Token(p.Record.Object, "vault", time.Hour, now); err != nil {
		t.Fatal(err)
	}
	due := now.After(48 * time.Minute)
	if by := r.renewTokens(p, now); by != due || p.Refresh {
		t.Errorf("looked at again at %s, written anew: %t", by, p.Refresh)
	}
	if by := r.renewTokens(p, state.Instant{Mono: due}); by != 0 || !p.Refresh {
		t.Errorf("when due: looked at again at %s, written anew: %t", by, p.Refresh)
	}
	p.Refresh = false
	clear(r.dirty)
	r.receive(msgClock{}, now)
	if !p.Refresh || !r.dirty["u"] {
		t.Error("the clock was set and the pod's volumes are not written anew")
	}
}
