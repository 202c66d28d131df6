package delta

import (
	"archive/tar"
	"bytes"
	"errors"
	"slices"
	"time"
)

// fileOf is the content of the first file of a tar.
func fileOf(data []byte) ([]byte, error) {
	tr := tar.NewReader(bytes.NewReader(data))
	if _, err := tr.Next(); err != nil {
		return nil, errTable
	}
	return readBounded(tr) // a sparse file is larger than the tar that it is in
}

// stargz makes pieces of the entries. What comes before the content of each is not found in the blob, but made of the table:
// a header as Go's archive/tar writes it, which is what makes these layers. end is where the table begins.
func (t *table) stargz(entries []entry, end int64) error {
	// Where a chunk ends is where the next one begins, or what is after it.
	offsets := []int64{end}
	for i := range entries {
		if entries[i].Offset > 0 {
			offsets = append(offsets, entries[i].Offset)
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
		if e.InnerOffset > 0 {
			return ErrNotWorth // files that are compressed together
		}
		if e.Type == "chunk" {
			if err := t.addChunk(e, after(e.Offset)); err != nil {
				return err
			}
			continue
		}
		if _, ok := kinds[e.Type]; !ok {
			return errTable
		}
		p := piece{name: e.Name, entry: e, padding: padding}
		padding = 0
		if e.Type == "reg" && e.Size > 0 {
			padding = -e.Size & 511
			p.size = e.Size
			p.sum, p.hasSum = parseSum(e.Digest)
			size := e.ChunkSize
			if size == 0 {
				size = e.Size
			}
			p.at, p.chunks, p.sizes = span{e.Offset, after(e.Offset)}, []span{{e.Offset, after(e.Offset)}}, []int64{size}
			if e.Offset <= 0 || p.at.to <= p.at.from || size < 0 || size > e.Size {
				return errTable
			}
		}
		t.pieces = append(t.pieces, p)
	}
	t.tail = append(make([]byte, padding), t.tail...)
	return nil
}

// addChunk adds to the content of the entry before.
func (t *table) addChunk(e *entry, end int64) error {
	if len(t.pieces) == 0 {
		return errTable
	}
	p := &t.pieces[len(t.pieces)-1]
	var have int64
	for _, size := range p.sizes {
		have += size
	}
	size := e.ChunkSize
	if size == 0 {
		size = p.size - have // the last one
	}
	if have == 0 || e.ChunkOffset != have || size <= 0 || size > p.size-have || e.Offset < p.at.to || end <= e.Offset {
		return errTable
	}
	p.chunks, p.sizes, p.at.to = append(p.chunks, span{e.Offset, end}), append(p.sizes, size), end
	return nil
}

var kinds = map[string]byte{
	"dir": tar.TypeDir, "reg": tar.TypeReg, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink, "char": tar.TypeChar, "block": tar.TypeBlock, "fifo": tar.TypeFifo,
}

// header is the entry's, as archive/tar writes it.
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
