package delta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// table says of what a layer's tar is made: pieces in their order.
type table struct {
	gzip    bool    // eStargz; else zstd:chunked
	pieces  []piece // of the blob
	split   []byte  // the tar-split, compressed; nil: what is no file's content is in the blob, or made of the table
	padding int64   // of eStargz: zeros after the last piece of the tar
	tail    []byte  // of eStargz: what follows them
	toc     []byte  // of eStargz, in the tail
	read    int64   // bytes that were asked for
}

// piece is a part of the tar. There may be as many as maxEntries.
type piece struct {
	at      span     // in the blob; empty: it is not there
	size    int64    // of a file's content; 0: it is the bytes of at, whatever they hold
	sum     Sum      // of the content
	hasSum  bool     // its content is one whole file
	local   bool     // it is on the machine
	members *members // of eStargz; nil: it is of zstd:chunked
}

// chunk is a part of a file of eStargz, which begins a member of gzip.
type chunk struct {
	at   span
	size int64
}

// members is what a piece of eStargz has beside.
type members struct {
	first chunk // of a file's content
	more  []chunk
	// Where in the table the entry is of which the header before the content is made, and how many zeros are before that.
	entry   span
	padding int64
}

// entry is one of a table of contents, as both kinds write it. github.com/containers/storage/pkg/chunked,
// docs/estargz.md of github.com/containerd/stargz-snapshotter
type entry struct {
	Type        string            `json:"type"`
	Name        string            `json:"name"`
	LinkName    string            `json:"linkName"`
	Mode        int64             `json:"mode"`
	Size        int64             `json:"size"`
	UID         int               `json:"uid"`
	GID         int               `json:"gid"`
	UserName    string            `json:"userName"`
	GroupName   string            `json:"groupName"`
	ModTime     *time.Time        `json:"modtime"`
	DevMajor    int64             `json:"devMajor"`
	DevMinor    int64             `json:"devMinor"`
	Xattrs      map[string][]byte `json:"xattrs"`
	Digest      string            `json:"digest"`
	Offset      int64             `json:"offset"`
	EndOffset   int64             `json:"endOffset"`
	InnerOffset int64             `json:"innerOffset"`
	ChunkSize   int64             `json:"chunkSize"`
	ChunkOffset int64             `json:"chunkOffset"`
}

var errTable = errors.New("its table of contents is damaged")

// chunkedPrefixes are those of zstd:chunked's annotations, today's first.
var chunkedPrefixes = []string{"io.github.containers.zstd-chunked.", "io.containers.zstd-chunked."}

// readTable tells by the annotations of the manifest whether a layer has a table, and fetches it.
func readTable(ctx context.Context, src Ranges, l Layer) (*table, error) {
	for _, prefix := range chunkedPrefixes {
		if position := l.Annotations[prefix+"manifest-position"]; position != "" {
			return readChunked(ctx, src, l, prefix)
		}
	}
	if l.Annotations["containerd.io/snapshot/stargz/toc.digest"] != "" {
		return readStargz(ctx, src, l)
	}
	return nil, ErrNotWorth
}

// part fetches a few bytes of a blob.
func (t *table) part(ctx context.Context, src Ranges, l Layer, at span) ([]byte, error) {
	if at.from < 0 || at.to <= at.from || at.to > l.Size || at.to-at.from > maxTable {
		return nil, errTable
	}
	r, err := src.Range(ctx, l.Digest, l.Size, at.from, at.to)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data := make([]byte, at.to-at.from)
	_, err = io.ReadFull(r, data)
	t.read += int64(len(data))
	return data, err
}

// position reads "offset:length:…"; ok is whether it is one within the blob.
func position(text string, size int64) (at span, ok bool) {
	fields := strings.Split(text, ":")
	if len(fields) < 2 {
		return span{}, false
	}
	from, err := strconv.ParseInt(fields[0], 10, 64)
	length, err2 := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || err2 != nil || from < 0 || length <= 0 || length > size || from > size-length {
		return span{}, false
	}
	return span{from, from + length}, true
}

// plainLength reads the third field of "offset:length:plain length:type": how long it is without compression, or may be.
func plainLength(text string) int64 {
	fields := strings.Split(text, ":")
	if len(fields) > 2 {
		if n, err := strconv.ParseInt(fields[2], 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return maxTable
}

// readChunked reads the table of zstd:chunked: JSON in a skippable frame, which the manifest's annotations lead to.
func readChunked(ctx context.Context, src Ranges, l Layer, prefix string) (*table, error) {
	at, ok := position(l.Annotations[prefix+"manifest-position"], l.Size)
	if !ok {
		return nil, errTable
	}
	t := &table{}
	data, err := t.part(ctx, src, l, at)
	if err != nil {
		return nil, err
	}
	if sum, ok := parseSum(l.Annotations[prefix+"manifest-checksum"]); !ok || sum != sha256.Sum256(data) {
		return nil, errTable
	}
	entries, err := chunkedEntries(data, plainLength(l.Annotations[prefix+"manifest-position"]))
	if err != nil {
		return nil, err
	}
	if text := l.Annotations[prefix+"tarsplit-position"]; text != "" {
		if err := t.readSplit(ctx, src, l, text); err != nil {
			return nil, err
		}
	}
	return t, t.chunked(entries, at.from)
}

// content is the entry of a file, as far as zstd:chunked needs it.
type content struct {
	at     span
	size   int64
	sum    Sum
	hasSum bool
}

// chunkedEntries reads the files that have a content.
func chunkedEntries(data []byte, length int64) (list []content, err error) {
	plain, err := unpackZstd(data, length)
	if err != nil {
		return nil, err
	}
	return list, parseContents(plain, func(e *entry, _ span) {
		if e.Type == "reg" && e.Size > 0 {
			c := content{at: span{e.Offset, e.EndOffset}, size: e.Size}
			c.sum, c.hasSum = parseSum(e.Digest)
			list = append(list, c)
		}
	})
}

// readSplit fetches what of the tar is no file's content.
func (t *table) readSplit(ctx context.Context, src Ranges, l Layer, text string) error {
	at, ok := position(text, l.Size)
	if !ok || at.to-at.from > maxSplit {
		return errTable
	}
	data, err := t.part(ctx, src, l, at)
	if err != nil {
		return err
	}
	t.split = data
	return nil
}

// chunked makes pieces of the contents, and, without a tar-split, of what lies between them. end is where the skippable frames
// begin, with a frame's head of eight bytes.
func (t *table) chunked(entries []content, end int64) error {
	var done int64
	for _, e := range entries {
		if e.at.from < done || e.at.to <= e.at.from || e.at.to > end {
			return errTable
		}
		if t.split == nil {
			t.pieces = append(t.pieces, piece{at: span{done, e.at.from}})
		}
		t.pieces = append(t.pieces, piece{at: e.at, size: e.size, sum: e.sum, hasSum: e.hasSum})
		done = e.at.to
	}
	if t.split == nil && end-8 > done {
		t.pieces = append(t.pieces, piece{at: span{done, end - 8}})
	}
	return nil
}

// stargzFooter is the length of the last member of eStargz, which says where the table begins.
const stargzFooter = 51

// readStargz reads the table of eStargz: the last file of the tar, before a footer.
func readStargz(ctx context.Context, src Ranges, l Layer) (*table, error) {
	t := &table{gzip: true}
	footer, err := t.part(ctx, src, l, span{l.Size - stargzFooter, l.Size})
	if err != nil {
		return nil, err
	}
	// A member of gzip with an extra field "SG": 16 hexadecimal digits and STARGZ. RFC 1952, 2.3.1.1
	if footer[0] != 0x1f || footer[1] != 0x8b || footer[3] != 4 || binary.LittleEndian.Uint16(footer[10:]) != 26 || string(footer[12:14]) != "SG" ||
		string(footer[32:38]) != "STARGZ" {
		return nil, errTable
	}
	from, err := strconv.ParseInt(string(footer[16:32]), 16, 64)
	if err != nil || from <= 0 || from >= l.Size-stargzFooter {
		return nil, errTable
	}
	data, err := t.part(ctx, src, l, span{from, l.Size - stargzFooter})
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errTable
	}
	if t.tail, err = readBounded(z); err != nil {
		return nil, err
	}
	if t.toc, err = fileOf(t.tail); err != nil {
		return nil, err
	}
	if sum, ok := parseSum(l.Annotations["containerd.io/snapshot/stargz/toc.digest"]); !ok || sum != sha256.Sum256(t.toc) {
		return nil, errTable
	}
	entries, err := stargzEntries(t.toc)
	if err != nil {
		return nil, err
	}
	return t, t.stargz(entries, from)
}

// unpackZstd needs no window beside the length bytes that it gives at most.
func unpackZstd(data []byte, length int64) ([]byte, error) {
	if length > maxTable {
		return nil, errLarge
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	plain, err := z.DecodeAll(data, make([]byte, 0, length))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	return plain, nil
}

var errLarge = fmt.Errorf("its table of contents is larger than %d MiB", maxTable>>20)

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	if len(data) > maxTable {
		return nil, errLarge
	}
	return data, nil
}

// parseContents reads a table entry by entry: it is a stranger's, and may be all entries. keep is told of each, and
// where it is; the entry is used again. Version 2 of zstd:chunked has no tar-split; what is no content is in the blob, as ever.
func parseContents(data []byte, keep func(e *entry, at span)) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errTable
	}
	version, seen := 0, 0
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return errTable
		}
		switch key {
		case "version":
			err = dec.Decode(&version)
		case "entries":
			err = readEntries(dec, &seen, keep)
		default:
			err = skipValue(dec)
		}
		if err != nil {
			return err
		}
	}
	if version < 1 || version > 2 {
		return errTable
	}
	return nil
}

// readEntries reads a list of entries. seen counts those of all lists: there may be several by the same name.
func readEntries(dec *json.Decoder, seen *int, keep func(e *entry, at span)) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errTable
	}
	var e entry
	for ; dec.More(); *seen++ {
		if *seen == maxEntries {
			return fmt.Errorf("its table of contents has more than %d entries", maxEntries)
		}
		e = entry{}
		from := dec.InputOffset()
		if err := dec.Decode(&e); err != nil {
			return errTable
		}
		keep(&e, span{from, dec.InputOffset()})
	}
	if _, err := dec.Token(); err != nil {
		return errTable
	}
	return nil
}

// skipValue passes over a value that nobody needs.
func skipValue(dec *json.Decoder) error {
	for depth := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return errTable
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
