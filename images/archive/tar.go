package archive

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"podd/images/fault"
	"podd/images/layer"
)

// span is where a file lies in a tar.
type span struct{ off, size int64 }

// tarArchive reads the files of an uncompressed tar where they lie.
type tarArchive struct {
	f     *os.File
	files map[string]span
	links map[string]string
	ended bool
	read  func(n int) // as of Watch
}

// indexTar walks over the headers; the kernel skips the contents (tar.Reader seeks).
func indexTar(f *os.File) (*tarArchive, error) {
	a := &tarArchive{f: f, files: map[string]span{}, links: map[string]string{}}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r := tar.NewReader(f)
	end := int64(0)
	for range maxEntries {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			a.ended = st.Size() > end
			return a, nil
		}
		if err != nil {
			return nil, layer.TarError(err)
		}
		off, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg && off+h.Size > st.Size() {
			return nil, fault.Truncatedf("%s ends too early", fault.Clip(h.Name))
		}
		end = off + padded(h.Size)
		if err := a.note(h, off); err != nil {
			return nil, err
		}
	}
	return nil, fault.Refusef("it has more than %d entries, which no image archive has", maxEntries)
}

func (a *tarArchive) note(h *tar.Header, off int64) error {
	name := path.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
		a.files[name] = span{off, h.Size}
	case tar.TypeDir, tar.TypeXGlobalHeader:
	default:
		return noteLink(a.links, name, h)
	}
	return nil
}

// noteLink keeps links between the files of an archive: older Dockers write a repeated layer so.
func noteLink(links map[string]string, name string, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		links[name] = path.Join(path.Dir(name), h.Linkname)
	case tar.TypeLink:
		links[name] = path.Clean(h.Linkname)
	default:
		return fault.Refusef("entry %q of the archive is neither file, folder nor link", fault.Clip(h.Name))
	}
	return nil
}

// follow resolves the links of an archive by name alone.
func follow(links map[string]string, name string) string {
	name = path.Clean(name)
	for range 8 {
		next, ok := links[name]
		if !ok {
			break
		}
		name = next
	}
	return name
}

func (a *tarArchive) open(name string) (io.ReadCloser, error) {
	s, ok := a.files[follow(a.links, name)]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(Watch(io.NewSectionReader(a.f, s.off, s.size), a.read)), nil
}

// Whole implements Archive.
func (a *tarArchive) Whole() bool { return a.ended }

// padded is the space that size bytes take in a tar. What follows the last entry is the trailer; a file that has none may
// still be growing.
func padded(size int64) int64 { return (size + 511) &^ 511 }
