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
	gzip   bool    // eStargz; else zstd:chunked
	pieces []piece // of the blob
	split  []byte  // the tar-split, compressed; nil: what is no file's content is in the blob, or made of the table
	tail   []byte  // of eStargz: what follows the last piece of the tar
	read   int64   // bytes that were asked for
}

// piece is a part of the tar.
type piece struct {
	name   string
	at     span   // in the blob; empty: it is not there
	size   int64  // of a file's content; 0: it is the bytes of at, whatever they hold
	sum    Sum    // of the content
	hasSum bool   // its content is one whole file
	local  bool   // it is on the machine
	chunks []span // of a file of eStargz: each begins a member of gzip
	sizes  []int64
	// Of eStargz: what the header before the content is made of, when it is written, and how many zeros are before that.
	entry   *entry
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
	plain, err := unpackZstd(data)
	if err != nil {
		return nil, err
	}
	doc, err := parseContents(plain, false)
	if err != nil {
		return nil, err
	}
	if text := l.Annotations[prefix+"tarsplit-position"]; text != "" {
		if err := t.readSplit(ctx, src, l, text); err != nil {
			return nil, err
		}
	}
	return t, t.chunked(doc.Entries, at.from)
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
func (t *table) chunked(entries []entry, end int64) error {
	var done int64
	for i := range entries {
		e := &entries[i]
		if e.Type != "reg" || e.Size == 0 {
			continue
		}
		if e.Offset < done || e.EndOffset <= e.Offset || e.EndOffset > end {
			return errTable
		}
		if t.split == nil {
			t.pieces = append(t.pieces, piece{at: span{done, e.Offset}})
		}
		sum, ok := parseSum(e.Digest)
		t.pieces = append(t.pieces, piece{name: e.Name, at: span{e.Offset, e.EndOffset}, size: e.Size, sum: sum, hasSum: ok})
		done = e.EndOffset
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
	contents, err := fileOf(t.tail)
	if err != nil {
		return nil, err
	}
	if sum, ok := parseSum(l.Annotations["containerd.io/snapshot/stargz/toc.digest"]); !ok || sum != sha256.Sum256(contents) {
		return nil, errTable
	}
	doc, err := parseContents(contents, true)
	if err != nil {
		return nil, err
	}
	return t, t.stargz(doc.Entries, from)
}

func unpackZstd(data []byte) ([]byte, error) {
	z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return readBounded(z)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	if len(data) > maxTable {
		return nil, fmt.Errorf("its table of contents is larger than %d MiB", maxTable>>20)
	}
	return data, nil
}

// contents is a table of contents. Version 2 of zstd:chunked has no tar-split; what is no content is in the blob, as ever.
type contents struct {
	Version int
	Entries []entry
	seen    int // entries, whatever they are
}

// parseContents reads a table entry by entry: it is a stranger's, and may be all entries. all keeps those that are no content,
// too.
func parseContents(data []byte, all bool) (c contents, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return c, errTable
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return c, errTable
		}
		switch key {
		case "version":
			err = dec.Decode(&c.Version)
		case "entries":
			err = c.read(dec, all)
		default:
			err = skipValue(dec)
		}
		if err != nil {
			return c, err
		}
	}
	if c.Version < 1 || c.Version > 2 {
		return c, errTable
	}
	return c, nil
}

// read takes in the list of entries.
func (c *contents) read(dec *json.Decoder, all bool) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errTable
	}
	for ; dec.More(); c.seen++ { // of all lists: there may be several by the same name
		if c.seen == maxEntries {
			return fmt.Errorf("its table of contents has more than %d entries", maxEntries)
		}
		var e entry
		if err := dec.Decode(&e); err != nil {
			return errTable
		}
		if all || e.Type == "reg" && e.Size > 0 {
			c.Entries = append(c.Entries, e)
		}
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
