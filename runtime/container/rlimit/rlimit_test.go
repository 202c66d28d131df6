package rlimit

import (
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseRlimits(t *testing.T) {
	got, err := Parse(map[string]string{"nofile": "5:77", "core": "0", "memlock": "unlimited", "stack": "8388608:unlimited"})
	want := []Limit{{"nofile", 5, 77}, {"core", 0, 0}, {"memlock", unlimited, unlimited}, {"stack", 8388608, unlimited}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := Parse(nil); err != nil || !reflect.DeepEqual(got, []Limit{{"nofile", 1024, 524288}}) {
		t.Errorf("by default %v, %v", got, err)
	}
	for _, text := range []string{"", "x", "1:", ":1", "2:1", "unlimited:1", "-1", "1:2:3", "1.5", "18446744073709551616", "1k"} {
		if got, err := Parse(map[string]string{"nofile": text}); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// What the kernel does not let this process give is lowered to what it does, and named; the process keeps its own.
func TestAllowedRlimits(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	list := []Limit{{"nofile", 10, 20}, {"nofile", 10, 1 << 40}, {"nofile", 1 << 39, 1 << 40}} // never above fs.nr_open
	got, lowered := Allowed(list)
	want := []Limit{{"nofile", 10, 20}, {"nofile", 10, before.Max}, {"nofile", before.Max, before.Max}}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(lowered, []string{"nofile", "nofile"}) {
		t.Errorf("got %v, lowered %v", got, lowered)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil || after != before {
		t.Errorf("the own limit is %v, was %v (%v)", after, before, err)
	}
}
