package logs

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		line, stream, content string
		partial, ok           bool
	}{
		{"2016-10-06T00:17:09.669794202Z stdout F hello world", "stdout", "hello world", false, true},
		{"2016-10-06T00:17:09.669794202Z stderr P ", "stderr", "", true, true},
		{"2016-10-06T00:17:09+02:00 stdout P:new:tags x", "stdout", "x", true, true},
		{"2016-10-06T00:17:09.669794202Z stdout F", "", "", false, false},
		{"2016-10-06T00:17:09.669794202Z stdin F x", "", "", false, false},
		{"2016-10-06T00:17:09.669794202Z stdout X x", "", "", false, false},
		{" stdout F x", "", "", false, false},
		{"", "", "", false, false},
	} {
		r, ok := parseRecord([]byte(c.line))
		if ok != c.ok || string(r.stream) != c.stream || string(r.content) != c.content || r.partial != c.partial {
			t.Errorf("%q: %+v, %v", c.line, r, ok)
		}
	}
}

func TestPrefix(t *testing.T) {
	now := time.Date(2026, 5, 1, 2, 3, 4, 50, time.FixedZone("east", 3600))
	for st, want := range map[Stream]string{
		Stdout: "2026-05-01T01:03:04.000000050Z stdout F ",
		Stderr: "2026-05-01T01:03:04.000000050Z stderr F ",
	} {
		if got := appendPrefix(nil, now, st); string(got) != want || len(got) != prefixLen {
			t.Errorf("prefix %q, want %q", got, want)
		}
	}
}

func TestAppendRecordsStopsWhenFull(t *testing.T) {
	prefix := appendPrefix(nil, time.Unix(0, 0), Stdout)
	for size := range 4 * prefixLen {
		out, used := appendRecords(make([]byte, 0, size), prefix, []byte("a\nbb\nccc\n"), false)
		want := map[bool]int{true: 2}[size >= prefixLen+2]
		if size >= 2*(prefixLen+2)+1 {
			want = 5
		}
		if size >= 3*(prefixLen+2)+3 {
			want = 9
		}
		if used != want || len(out) > size {
			t.Errorf("buffer of %d: %d bytes used, want %d; %q", size, used, want, out)
		}
	}
}

// FuzzRecords says bytes in any pieces and reads them back.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("one\ntwo"), uint16(3), true)
	f.Add(bytes.Repeat([]byte("x"), maxContent+1), uint16(maxContent), false)
	f.Add([]byte("\n\n \x00stdout F\n"), uint16(1), true)
	f.Fuzz(func(t *testing.T, said []byte, step uint16, big bool) {
		if big {
			said = bytes.Repeat(said, 1+maxContent/max(1, len(said)))
		}
		prefix := appendPrefix(nil, time.Unix(0, 0), Stderr)
		var log []byte
		read := 0
		for end := 0; end < len(said); {
			end = min(len(said), end+int(step)+1)
			for {
				out, used := appendRecords(make([]byte, 0, batch), prefix, said[read:end], end == len(said))
				if used == 0 {
					break
				}
				log, read = append(log, out...), read+used
			}
			if end-read > maxContent {
				t.Fatalf("%d bytes wait", end-read)
			}
		}
		if got := joined(t, log); !bytes.Equal(got, said) {
			t.Errorf("said %d bytes, read %d", len(said), len(got))
		}
	})
}

// joined reads a log back and holds its records against the format.
func joined(t *testing.T, log []byte) []byte {
	var got []byte
	for line := range bytes.Lines(log) {
		r, ok := parseRecord(bytes.TrimSuffix(line, []byte{'\n'}))
		if !ok || len(r.content) > maxContent {
			t.Fatalf("bad record %q", line)
		}
		got = append(got, r.content...)
		if !r.partial {
			got = append(got, '\n')
		}
	}
	return got
}

// FuzzParseRecord reads lines that somebody else may have written.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("2016-10-06T00:17:09.669794202Z stdout F hello world"))
	f.Add([]byte("2016-10-06T00:17:09Z stderr P:x "))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, ok := parseRecord(line)
		if !ok {
			return
		}
		for _, part := range [][]byte{r.stamp, r.stream} {
			if len(part) == 0 || slices.Contains(part, ' ') {
				t.Errorf("field %q of %q", part, line)
			}
		}
		if !bytes.HasPrefix(line, r.stamp) || !bytes.HasSuffix(line, r.content) {
			t.Errorf("%+v is not of %q", r, line)
		}
	})
}
