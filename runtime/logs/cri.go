package logs

import (
	"bytes"
	"time"
)

// The CRI log format has one record a line (kubernetes/design-proposals-archive,
// node/kubelet-cri-logging.md):
//
//	2016-10-06T00:17:09.669794202Z stdout F The content of the line
//
// P instead of F says that no newline followed the content.
const (
	full    = 'F'
	partial = 'P'

	// maxContent is the length at which containerd and CRI-O split a line.
	maxContent = 16 << 10

	// stampFormat is RFC 3339 with all nine digits, as the kubelet prints it.
	stampFormat = "2006-01-02T15:04:05.000000000Z07:00"

	// prefixLen is that of a record's fields and their spaces, in UTC.
	prefixLen = len("2006-01-02T15:04:05.000000000Z stdout F ")
)

// appendPrefix appends the fields before the content of a whole line.
func appendPrefix(out []byte, now time.Time, st Stream) []byte {
	out = now.UTC().AppendFormat(out, stampFormat)
	out = append(out, ' ')
	out = append(out, st.String()...)
	return append(out, ' ', full, ' ')
}

// appendRecords formats the lines of in until out's capacity or in is used up,
// and says how much of in that was. A line without newline waits unless it is
// longer than maxContent, or last says that nothing follows.
func appendRecords(out, prefix, in []byte, last bool) (records []byte, used int) {
	for used < len(in) {
		content, skip, tag := cutContent(in[used:], last)
		if skip == 0 || len(out)+len(prefix)+len(content)+1 > cap(out) {
			break
		}
		out = append(out, prefix...)
		out[len(out)-2] = tag
		out = append(out, content...)
		out = append(out, '\n')
		used += skip
	}
	return out, used
}

// cutContent takes one record's content off the front of in; skip counts its
// newline too and is 0 if the line is not complete.
func cutContent(in []byte, last bool) (content []byte, skip int, tag byte) {
	window := in[:min(len(in), maxContent+1)]
	if n := bytes.IndexByte(window, '\n'); n >= 0 {
		return in[:n], n + 1, full
	}
	if len(in) > maxContent {
		return in[:maxContent], maxContent, partial
	}
	if last {
		return in, len(in), partial
	}
	return nil, 0, full
}

// record is one parsed line of a log; its fields share the line's memory.
type record struct {
	stamp, stream, content []byte
	partial                bool
}

// parseRecord reads a line without its newline. Tags after the first, separated
// by colons, are for later versions of the format and are skipped.
func parseRecord(line []byte) (record, bool) {
	stamp, rest, ok1 := bytes.Cut(line, []byte{' '})
	stream, rest, ok2 := bytes.Cut(rest, []byte{' '})
	tags, content, ok3 := bytes.Cut(rest, []byte{' '})
	if !ok1 || !ok2 || !ok3 || len(stamp) == 0 {
		return record{}, false
	}
	if s := string(stream); s != "stdout" && s != "stderr" {
		return record{}, false
	}
	tag, _, _ := bytes.Cut(tags, []byte{':'})
	if len(tag) != 1 || tag[0] != full && tag[0] != partial {
		return record{}, false
	}
	return record{stamp, stream, content, tag[0] == partial}, true
}
