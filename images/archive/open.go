package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"podd/images/fault"
	"podd/images/layer"
)

// InPlace reports whether f is a regular file at its start, which OpenFile can read.
func InPlace(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	off, err := f.Seek(0, io.SeekCurrent)
	return err == nil && off == 0
}

// OpenFile reads an uncompressed archive in place, and any other as a stream. read, if there is one, is told what was read.
func OpenFile(ctx context.Context, f *os.File, st *layer.Staging, read func(n int)) (Archive, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isTar(head[:n]) {
		return OpenStream(ctx, Watch(f, read), st)
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL) // a hint
	a, err := indexTar(f)
	if err != nil {
		return nil, err
	}
	a.read = read
	return randomAccess{a}, nil
}

// watched tells what is read from a file.
type watched struct {
	io.Reader
	read func(n int)
}

// Watch tells read how many bytes each reading of r brings; nil: nobody wants to know.
func Watch(r io.Reader, read func(n int)) io.Reader {
	if read == nil {
		return r
	}
	return &watched{r, read}
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	w.read(n)
	return n, err
}

// OpenStream reads an archive once, from its start to its end: its layers are staged when it returns.
func OpenStream(ctx context.Context, src io.Reader, st *layer.Staging) (a Archive, err error) {
	r := bufio.NewReaderSize(src, layer.PumpChunk)
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil, fault.Truncatedf("it is empty")
	}
	z, err := layer.Decompress(r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := z.Close(); err == nil {
			err = cerr // a decoder repeats here what Read has said
		}
	}()
	in := bufio.NewReaderSize(z, layer.PumpChunk)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isTar(head) {
		return nil, notTar(head)
	}
	return readStream(ctx, in, st)
}

func notTar(head []byte) error {
	if len(head) < 512 {
		return fault.Truncatedf("it is shorter than any image archive")
	}
	return fault.Refusef("it is neither an OCI layout nor a docker-archive")
}

// folderArchive is an OCI layout that lies unpacked in a folder. os.Root keeps its links inside.
type folderArchive struct{ root *os.Root }

// OpenFolder is the archive in a folder, which the caller closes.
func OpenFolder(root *os.Root) Archive { return randomAccess{&folderArchive{root}} }

// open opens regular files alone: nothing else ends for sure.
func (a *folderArchive) open(name string) (io.ReadCloser, error) {
	info, err := a.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Refusef("%s in it is no regular file", name)
	}
	f, err := a.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = fault.Refusef("%s in it is no regular file", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Whole implements Archive.
func (a *folderArchive) Whole() bool { return true }

// isTar tells a tar header by its checksum, or the empty archive.
func isTar(block []byte) bool {
	if len(block) < 512 {
		return false
	}
	sum := 8 * int64(' ')
	for i, c := range block[:512] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	if sum == 8*' ' {
		return true // all zero: the trailer
	}
	field := strings.Trim(string(block[148:156]), " \x00")
	want, err := strconv.ParseInt(field, 8, 64)
	return err == nil && want == sum
}

// isJSON tells the small documents of an archive.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// OpenInPlace opens an uncompressed archive so that parts of it can be read; false: it is compressed or no archive.
func OpenInPlace(f *os.File) (Archive, bool) {
	head := make([]byte, 512)
	if n, err := f.ReadAt(head, 0); err != nil || !isTar(head[:n]) {
		return nil, false
	}
	a, err := indexTar(f)
	if err != nil {
		return nil, false
	}
	return randomAccess{a}, true
}

// OpenLayer gives the bytes of a layer as they stand in an archive that is read in place.
func OpenLayer(a Archive, name string) (io.ReadCloser, error) {
	in, ok := a.(randomAccess)
	if !ok {
		return nil, errors.New("the archive cannot be read in place")
	}
	return in.open(name)
}
