package delta

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// fileOf is the content of the first file of a tar, in place.
func fileOf(data []byte) ([]byte, error) {
	in := bytes.NewReader(data)
	h, err := tar.NewReader(in).Next()
	if err != nil {
		return nil, errTable
	}
	rest := data[len(data)-in.Len():]
	if h.Size > int64(len(rest)) { // a sparse file is larger than the tar that it is in
		return nil, errLarge
	}
	return rest[:h.Size], nil
}

// stargzEntry is an entry, as far as is needed of all of them at once.
type stargzEntry struct {
	kind                   string
	offset, inner, size    int64
	chunkOffset, chunkSize int64
	sum                    Sum
	hasSum                 bool
	at                     span // in the table
}

func stargzEntries(toc []byte) (list []stargzEntry, err error) {
	known := map[string]string{"chunk": "chunk"} // one string for all entries of a kind
	for kind := range kinds {
		known[kind] = kind
	}
	return list, parseContents(toc, func(e *entry, at span) {
		s := stargzEntry{kind: known[e.Type], offset: e.Offset, inner: e.InnerOffset, size: e.Size, chunkOffset: e.ChunkOffset, chunkSize: e.ChunkSize, at: at}
		s.sum, s.hasSum = parseSum(e.Digest)
		list = append(list, s)
	})
}

// stargz makes pieces of the entries. What comes before the content of each is not found in the blob, but made of the table:
// a header as Go's archive/tar writes it, which is what makes these layers. end is where the table begins.
func (t *table) stargz(entries []stargzEntry, end int64) error {
	// Where a chunk ends is where the next one begins, or what is after it.
	offsets := []int64{end}
	for i := range entries {
		if entries[i].offset > 0 {
			offsets = append(offsets, entries[i].offset)
		}
	}
	slices.Sort(offsets)
	after := func(offset int64) int64 {
		i, found := slices.BinarySearch(offsets, offset)
		for found && i < len(offsets) && offsets[i] == offset {
			i++
		}
		if i == len(offsets) {
			return 0
		}
		return offsets[i]
	}
	padding := int64(0) // after the content before
	for i := range entries {
		e := &entries[i]
		if e.inner > 0 {
			return ErrNotWorth // files that are compressed together
		}
		if e.kind == "chunk" {
			if err := t.addChunk(e, after(e.offset)); err != nil {
				return err
			}
			continue
		}
		if _, ok := kinds[e.kind]; !ok {
			return errTable
		}
		p := piece{members: &members{entry: e.at, padding: padding}}
		padding = 0
		if e.kind == "reg" && e.size > 0 {
			padding = -e.size & 511
			p.size = e.size
			p.sum, p.hasSum = e.sum, e.hasSum
			size := e.chunkSize
			if size == 0 {
				size = e.size
			}
			p.at = span{e.offset, after(e.offset)}
			p.members.first = chunk{p.at, size}
			if e.offset <= 0 || p.at.to <= p.at.from || size < 0 || size > e.size {
				return errTable
			}
		}
		t.pieces = append(t.pieces, p)
	}
	t.padding = padding
	return nil
}

// addChunk adds to the content of the entry before.
func (t *table) addChunk(e *stargzEntry, end int64) error {
	if len(t.pieces) == 0 {
		return errTable
	}
	p := &t.pieces[len(t.pieces)-1]
	have := p.members.first.size
	for _, c := range p.members.more {
		have += c.size
	}
	size := e.chunkSize
	if size == 0 {
		size = p.size - have // the last one
	}
	if have == 0 || e.chunkOffset != have || size <= 0 || size > p.size-have || e.offset < p.at.to || end <= e.offset {
		return errTable
	}
	p.members.more, p.at.to = append(p.members.more, chunk{span{e.offset, end}, size}), end
	return nil
}

var kinds = map[string]byte{
	"dir": tar.TypeDir, "reg": tar.TypeReg, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink, "char": tar.TypeChar, "block": tar.TypeBlock, "fifo": tar.TypeFifo,
}

// header is that of an entry, as archive/tar writes it.
func (t *table) header(at span) ([]byte, error) {
	var e entry
	if err := json.Unmarshal(bytes.TrimLeft(t.toc[at.from:at.to], ", \t\r\n"), &e); err != nil {
		return nil, errors.Join(errTable, err)
	}
	return e.header()
}

func (e *entry) header() ([]byte, error) {
	kind, ok := kinds[e.Type]
	if !ok {
		return nil, errTable
	}
	h := &tar.Header{
		Typeflag: kind, Name: e.Name, Linkname: e.LinkName, Mode: e.Mode, Uid: e.UID, Gid: e.GID, Uname: e.UserName, Gname: e.GroupName,
		Devmajor: e.DevMajor, Devminor: e.DevMinor,
	}
	if kind == tar.TypeReg {
		h.Size = e.Size
	}
	if e.ModTime != nil {
		h.ModTime = *e.ModTime
	} else {
		h.ModTime = time.Time{}
	}
	for name, value := range e.Xattrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+name] = string(value)
	}
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(h); err != nil {
		return nil, errors.Join(errTable, err)
	}
	return b.Bytes(), nil
}
