package terminal

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Keys reads a sequence of keys as kubectl writes it, "ctrl-p,ctrl-q".
func Keys(text string) ([]byte, error) {
	var keys []byte
	for key := range strings.SplitSeq(text, ",") {
		letter, ctrl := strings.CutPrefix(key, "ctrl-")
		switch {
		case len(letter) != 1:
			return nil, fmt.Errorf("unknown key %q: --detach-keys is a list of characters and of ctrl-a to ctrl-z, ctrl-@, ctrl-[, ctrl-\\, ctrl-], ctrl-^ and ctrl-_", key)
		case !ctrl:
			keys = append(keys, letter[0])
		case letter[0] >= 'a' && letter[0] <= 'z':
			keys = append(keys, letter[0]-'a'+1)
		case strings.Contains(`@[\]^_`, letter):
			keys = append(keys, letter[0]-'@')
		default:
			return nil, fmt.Errorf("unknown key %q: ctrl- stands before a to z, @, [, \\, ], ^ or _", key)
		}
	}
	return keys, nil
}

// Detachable reads from r until a sequence of keys comes: then it ends. What is the beginning of the sequence is passed on
// only when something else follows.
func Detachable(r io.Reader, keys []byte) io.Reader { return &detachable{r: r, keys: keys} }

type detachable struct {
	r     io.Reader
	keys  []byte
	held  int    // keys of the sequence that have come
	ready []byte // to be passed on
	err   error
}

func (d *detachable) Read(p []byte) (int, error) {
	for len(d.ready) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		buf := make([]byte, max(len(p), 1))
		n, err := d.r.Read(buf)
		d.err = err
		d.take(buf[:n])
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

func (d *detachable) take(b []byte) {
	for _, c := range b {
		seen := append(bytes.Clone(d.keys[:d.held]), c)
		// The longest end of what has come that the sequence begins with; the rest is not of it.
		for d.held = len(seen); !bytes.HasPrefix(d.keys, seen[len(seen)-d.held:]); d.held-- {
		}
		d.ready = append(d.ready, seen[:len(seen)-d.held]...)
		if d.held == len(d.keys) {
			d.err = io.EOF
			return
		}
	}
	if d.err != nil { // nothing more will come
		d.ready, d.held = append(d.ready, d.keys[:d.held]...), 0
	}
}
