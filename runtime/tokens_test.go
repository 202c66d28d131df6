package runtime

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/objects"
	"podd/runtime/state"
)

func tokenRuntime(t *testing.T) *Runtime {
	t.Helper()
	return &Runtime{
		Config: Config{NodeName: "here"}, tokens: newTokens(t.TempDir(), nil), objects: &objects.Desired{}, pods: map[types.UID]*pod{}, dirty: map[types.UID]bool{},
	}
}

// validity reads from when to when a token is good.
func validity(t *testing.T, text string) (from, until time.Time) {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Nbf, Exp int64 }
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	return time.Unix(claims.Nbf, 0), time.Unix(claims.Exp, 0)
}

// A token is another one when four fifths of its life or a day are over, on the clock that does not jump.
func TestTokenRotation(t *testing.T) {
	for _, tt := range []struct{ life, due time.Duration }{
		{10 * time.Minute, 8 * time.Minute},
		{3607 * time.Second, 3607 * time.Second * 4 / 5},
		{30 * time.Hour, 24 * time.Hour},
		{365 * 24 * time.Hour, 24 * time.Hour},
	} {
		r, pod := tokenRuntime(t), &corev1.Pod{}
		pod.UID = "u"
		start := state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}
		at := func(d time.Duration) string {
			t.Helper()
			text, err := r.tokenAt(pod, "", tt.life, state.Instant{Wall: start.Wall.Add(d), Mono: start.After(d)})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		first := at(0)
		if _, until := validity(t, first); !until.Equal(start.Wall.Add(tt.life)) {
			t.Errorf("life %s: good until %s", tt.life, until)
		}
		if r.tokens.due("u") != start.After(tt.due) {
			t.Errorf("life %s: due after %s, want %s", tt.life, r.tokens.due("u")-start.Mono, tt.due)
		}
		if at(tt.due-time.Second) != first {
			t.Errorf("life %s: another one before it is due", tt.life)
		}
		if at(tt.due) == first {
			t.Errorf("life %s: not replaced when due", tt.life)
		}
		if r.tokens.due("u") != start.After(2*tt.due) {
			t.Errorf("life %s: the second one is not due in its turn", tt.life)
		}
	}
}

// A board without a battery starts in 1970 and learns the date while its pods run; a clock may be set back as well.
func TestTokensAfterAJump(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, jump := range map[string][2]time.Time{
		"from 1970": {time.Unix(30, 0), now},
		"forward":   {now, now.Add(26 * time.Hour)},
		"back":      {now, now.Add(-26 * time.Hour)},
	} {
		r, p := tokenRuntime(t), &pod{rec: &state.Record{UID: "u", Object: &corev1.Pod{}}}
		p.rec.Object.UID = "u"
		p.rec.Object.Spec.Volumes = []corev1.Volume{{Name: "token"}}
		p.rec.Volumes.Ready = true
		r.pods["u"] = p
		token := func(at state.Instant) string {
			t.Helper()
			text, err := r.tokenAt(p.rec.Object, "vault", time.Hour, at)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		before := state.Instant{Wall: jump[0], Mono: state.BootTime(30 * time.Second)}
		after := state.Instant{Wall: jump[1], Mono: state.BootTime(31 * time.Second)}
		old := token(before)
		r.clockSet()
		if !p.refresh || !r.dirty["u"] {
			t.Errorf("%s: the pod's volumes are not written anew", name)
		}
		fresh := token(after)
		if from, until := validity(t, fresh); fresh == old || from.After(after.Wall) || !until.Equal(after.Wall.Add(time.Hour)) {
			t.Errorf("%s: at %s the token is good from %s until %s", name, after.Wall, from, until)
		}
		if by := r.tokens.due("u"); by != after.After(48*time.Minute) {
			t.Errorf("%s: due at %s since boot", name, by)
		}
	}
}
