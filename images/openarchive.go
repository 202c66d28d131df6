package images

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func isRegularStart(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	off, err := f.Seek(0, io.SeekCurrent)
	return err == nil && off == 0
}

func openFile(ctx context.Context, f *os.File, st *staging) (archive, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isTar(head[:n]) {
		return openStream(ctx, bufio.NewReaderSize(f, pumpChunk), st)
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL) // a hint
	a, err := indexTar(f)
	if err != nil {
		return nil, err
	}
	return randomAccess{a}, nil
}

func openStream(ctx context.Context, r *bufio.Reader, st *staging) (a archive, err error) {
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil, truncatedf("it is empty")
	}
	z, err := decompress(r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := z.Close(); err == nil {
			err = cerr // a decoder repeats here what Read has said
		}
	}()
	in := bufio.NewReaderSize(z, pumpChunk)
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
		return truncatedf("it is shorter than any image archive")
	}
	return refusef("it is neither an OCI layout nor a docker-archive")
}
