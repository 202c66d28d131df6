package fdstore

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestParseListen(t *testing.T) {
	for _, c := range []struct {
		name, pid, fds, names string
		want                  []string
	}{
		{"ours", "42", "2", "a:b", []string{"a", "b"}},
		{"another process", "41", "2", "a:b", nil},
		{"no process", "", "2", "a:b", nil},
		{"no number", "42", "", "a", nil},
		{"negative", "42", "-1", "a", nil},
		{"absurd", "42", "99999999999", "a", nil},
		{"none", "42", "0", "", nil},
		{"names missing", "42", "2", "", []string{"stored", "stored"}},
		{"one empty", "42", "3", "a::c", []string{"a", "stored", "c"}},
		{"too many names", "42", "1", "a:b", []string{"a"}},
	} {
		if got := parseListen(c.pid, c.fds, c.names, 42); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestParseWatchdog(t *testing.T) {
	for _, c := range []struct {
		name, pid, usec string
		want            time.Duration
	}{
		{"ours", "42", "30000000", 30 * time.Second},
		{"anybody's", "", "1500", 1500 * time.Microsecond},
		{"another process", "41", "30000000", 0},
		{"off", "42", "", 0},
		{"zero", "42", "0", 0},
		{"negative", "42", "-5", 0},
		{"overflow", "42", strconv.FormatInt(math.MaxInt64, 10), 0},
	} {
		if got := parseWatchdog(c.pid, c.usec, 42); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
