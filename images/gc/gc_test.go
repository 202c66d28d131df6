package gc

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	good := Settings{85, 80, 2 * time.Minute, 0}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, s := range map[string]Settings{
		"High": {101, 80, 0, 0}, "LowThresholdPercent must be between": {85, -1, 0, 0}, "less than": {80, 80, 0, 0},
		"MinimumGCAge must not": {85, 80, -1, 0}, "MaximumGCAge must not": {85, 80, 0, -1}, "greater than": {85, 80, time.Hour, time.Hour},
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, tt := range []struct {
		disk Disk
		want int64
	}{{Disk{1000, 160}, 0}, {Disk{1000, 150}, 50}, {Disk{1000, 0}, 200}, {Disk{0, 0}, 0}} {
		if got := good.Need(tt.disk); got != tt.want {
			t.Errorf("%+v: %d", tt.disk, got)
		}
	}
	if got := (Settings{100, 80, 0, 0}).Need(Disk{1000, 0}); got != 0 {
		t.Errorf("with 100: %d", got)
	}
}

func TestChoose(t *testing.T) {
	now := time.Unix(1e9, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const day = 24 * time.Hour
	own := func(dir string) map[string]int64 { return map[string]int64{dir: 100, "shared": 1000} }
	list := []Image{
		{"used yesterday", own("a"), ago(9 * day), ago(day), ""},
		{"never used", own("b"), ago(3 * day), time.Time{}, ""},
		{"never used, older", own("c"), ago(4 * day), time.Time{}, ""},
		{"new", own("d"), ago(time.Second), time.Time{}, ""},
		{"pinned", map[string]int64{"e": 100}, ago(90 * day), time.Time{}, "pinned"},
	}
	for name, tt := range map[string]struct {
		s    Settings
		need int64
		want string
		left int64
		free int64
	}{
		"nothing to do":     {Settings{85, 80, time.Minute, 0}, 0, "", 0, 0},
		"a little":          {Settings{85, 80, time.Minute, 0}, 1, "never used, older", 0, 100},
		"the oldest first":  {Settings{85, 80, time.Minute, 0}, 250, "never used, older|never used|used yesterday", 0, 300},
		"too much":          {Settings{85, 80, time.Minute, 0}, 5000, "never used, older|never used|used yesterday", 4700, 300},
		"the new one, too":  {Settings{85, 80, 0, 0}, 5000, "never used, older|never used|new|used yesterday", 3600, 1400},
		"by age":            {Settings{85, 80, time.Minute, 60 * time.Hour}, 0, "never used|never used, older", 0, 200},
		"by age and by use": {Settings{85, 80, time.Minute, 80 * time.Hour}, 150, "never used, older|never used", 0, 200},
	} {
		p := Choose(tt.s, list, tt.need, now)
		if got := strings.Join(p.IDs, "|"); got != tt.want || p.Short != tt.left || p.Bytes != tt.free {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := Choose(Settings{85, 80, time.Minute, day}, list, 5000, time.Unix(0, 0)); len(p.IDs) > 0 {
		t.Errorf("before the clock was set: %v", p.IDs)
	}
	if got := Next(Settings{MaxAge: 5 * day}, list); !got.Equal(ago(-day)) {
		t.Errorf("next at %v", got)
	}
	if got := Next(Settings{}, slices.Clone(list)); !got.IsZero() {
		t.Errorf("without an age: %v", got)
	}
}
