package state

import (
	"errors"
	"testing"
	"time"
)

// Volumes that cannot be made are tried ever less often, as by a kubelet, until something changes.
func TestVolumesBackoff(t *testing.T) {
	v, now := VolumesRecord{Layers: map[string][]string{"v": {"l"}}}, Instant{Mono: BootTime(time.Hour)}
	want := 500 * time.Millisecond
	for range 12 {
		v.Postpone(errors.New("no claim"), now)
		if v.NotBefore != now.After(want) || v.Error != "no claim" || v.Ready {
			t.Fatalf("rests until %s, error %q; want %s", v.NotBefore, v.Error, want)
		}
		want = min(2*want, 122*time.Second)
	}
	v.RetryNow()
	if v.NotBefore != 0 {
		t.Errorf("rests until %s", v.NotBefore)
	}
	v.Postpone(errors.New("no claim"), now)
	if v.NotBefore != now.After(500*time.Millisecond) {
		t.Errorf("begins anew with %s", v.NotBefore.Sub(now.Mono))
	}
	v.MarkReady(map[string]string{"a": "/a"}, map[string]string{"v": "id"})
	if !v.Ready || v.Error != "" || v.Backoff != 0 || v.Folders["a"] != "/a" || v.Images["v"] != "id" || v.Layers["v"] == nil {
		t.Errorf("%+v", v)
	}
}
