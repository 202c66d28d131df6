package terminal

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestKeys(t *testing.T) {
	for text, want := range map[string]string{"ctrl-p,ctrl-q": "\x10\x11", "a,ctrl-@": "a\x00", "ctrl-]": "\x1d", ",": "error", "ctrl-1": "error", "": "error", "ab": "error"} {
		got, err := Keys(text)
		if err != nil {
			got = []byte("error")
		}
		if string(got) != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestDetachable(t *testing.T) {
	for in, want := range map[string]string{
		"abc":            "abc",
		"ab\x10\x11cd":   "ab",
		"a\x10b\x11":     "a\x10b\x11",
		"\x10\x10\x11x":  "\x10",
		"end\x10":        "end\x10",
		"\x10\x10z\x10q": "\x10\x10z\x10q",
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(in), "by bytes": iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := io.ReadAll(Detachable(r, []byte{16, 17})); string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v", in, name, got, err)
			}
		}
	}
}
