package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"

	"podd/images/fault"
	"podd/images/layer"
)

// streamArchive is an archive that could be read once only, from its start to its end. A layer may come before the
// document that names it: whatever looks like a layer is unpacked when it passes, and dropped when nothing wants it.
// So nothing is written that is not part of an image, in the usual case of an archive for one platform.
type streamArchive struct {
	docs   map[string][]byte
	links  map[string]string
	layers map[string]*layer.Staged
	failed map[string]error
	held   int
	ended  bool
}

func readStream(ctx context.Context, r io.Reader, st *layer.Staging) (*streamArchive, error) {
	a := &streamArchive{
		docs: map[string][]byte{}, links: map[string]string{}, layers: map[string]*layer.Staged{}, failed: map[string]error{},
	}
	raw := &counter{r: r}
	entries := tar.NewReader(raw)
	end := int64(0)
	for range maxEntries {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			a.ended = raw.n > end
			_, err = io.Copy(io.Discard, raw) // a pipe's writer wants to end
			return a, err
		}
		if err != nil {
			return nil, layer.TarError(err)
		}
		end = raw.n + padded(h.Size)
		if err := a.take(ctx, h, entries, st); err != nil {
			return nil, err
		}
	}
	return nil, fault.Refusef("it has more than %d entries, which no image archive has", maxEntries)
}

func (a *streamArchive) take(ctx context.Context, h *tar.Header, r io.Reader, st *layer.Staging) error {
	name := path.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	default:
		return noteLink(a.links, name, h)
	}
	if st.Knows(name) {
		return nil
	}
	in := bufio.NewReaderSize(r, 4096)
	head, err := in.Peek(512)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Truncatedf("%s ends too early", fault.Clip(name))
	}
	switch {
	case layer.IsCompressed(head) || isTar(head):
		return a.takeLayer(ctx, name, in, st)
	case isJSON(head) && h.Size <= maxDocument:
		return a.takeDocument(name, in)
	}
	a.failed[name] = fault.Refusef("%s is neither a document nor a layer", fault.Clip(name))
	return nil
}

func (a *streamArchive) takeDocument(name string, r io.Reader) error {
	data, err := readDocument(r, name)
	if err != nil {
		return err
	}
	if a.held += len(data); a.held > maxDocuments {
		return fault.Refusef("its documents are larger than %d MiB together", maxDocuments>>20)
	}
	a.docs[name] = data
	return nil
}

// takeLayer keeps the verdict on a bad layer: an image of another platform may not concern us at all.
func (a *streamArchive) takeLayer(ctx context.Context, name string, r io.Reader, st *layer.Staging) error {
	l, err := st.Unpack(ctx, r)
	switch {
	case errors.Is(err, fault.ErrRefused):
		a.failed[name] = err
		delete(a.layers, name)
		_, err = io.Copy(io.Discard, r)
		return layer.TarError(err)
	case err != nil:
		return err
	}
	a.layers[name] = l
	return nil
}

// Document implements Archive.
func (a *streamArchive) Document(name string) ([]byte, error) {
	name = follow(a.links, name)
	if data, ok := a.docs[name]; ok {
		return data, nil
	}
	if err := a.failed[name]; err != nil {
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// Layer implements Archive.
func (a *streamArchive) Layer(_ context.Context, name string, _ *layer.Staging) (*layer.Staged, error) {
	name = follow(a.links, name)
	if l, ok := a.layers[name]; ok {
		return l, nil
	}
	if err := a.failed[name]; err != nil {
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// Whole implements Archive.
func (a *streamArchive) Whole() bool { return a.ended }

// counter tells how far an archive was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
