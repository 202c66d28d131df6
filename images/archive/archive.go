// Package archive reads image archives: OCI layouts and docker-archives, as a folder, a file or a stream.
//
// An archive lists the images that it offers to a machine (Images) and unpacks their layers into a staging area. What is
// broken or hostile is refused, what is cut short is told apart.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"podd/images/fault"
	"podd/images/layer"
	"podd/images/platform"
	"podd/images/reference"
)

// Limits of the documents in an archive.
const (
	maxDocument  = 4 << 20  // one configuration, manifest or index
	maxDocuments = 16 << 20 // all that a stream makes us keep
	maxEntries   = 10000    // of the archive itself
)

// Archive gives the parts of an image archive by their names, in whatever order they are asked for.
type Archive interface {
	// Document reads a small file; a missing one is fs.ErrNotExist.
	Document(name string) ([]byte, error)
	// Layer unpacks a layer into the staging area; a missing one is fs.ErrNotExist.
	Layer(ctx context.Context, name string, st *layer.Staging) (*layer.Staged, error)
	// Whole is false when the archive has no end.
	Whole() bool
}

// opener is an archive whose files can be opened at will.
type opener interface {
	open(name string) (io.ReadCloser, error)
	Whole() bool
}

// randomAccess reads an archive in place.
type randomAccess struct{ opener }

// Document implements Archive.
func (a randomAccess) Document(name string) ([]byte, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(f, name)
	return data, errors.Join(err, f.Close())
}

// Layer implements Archive.
func (a randomAccess) Layer(ctx context.Context, name string, st *layer.Staging) (*layer.Staged, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	l, err := st.Unpack(ctx, f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return l, err
}

func readDocument(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fault.Truncatedf("%s ends too early", name)
		}
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, fault.Refusef("%s is larger than %d MiB", fault.Clip(name), maxDocument>>20)
	}
	return data, nil
}

// IsMissing reports whether an archive lacks what it was asked for.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// MissingError names what an archive lacks: a half-copied one is no hostile one.
func MissingError(a Archive, what, name string) error {
	if !a.Whole() {
		return fault.Truncatedf("%s (%s) is missing and so is the end of the archive", what, fault.Clip(name))
	}
	return fault.Refusef("%s (%s) is missing", what, fault.Clip(name))
}

// platformError says that nothing in an archive is for the machine, or for the platform that was asked for instead.
func platformError(is string, want platform.Platform) error {
	wanted := "this machine is " + want.String()
	if want != platform.Host() {
		wanted = want.String() + " was asked for"
	}
	return fault.Platformf("it is for %s and %s: save the image with --platform %s", is, wanted, want)
}

// Images lists what an archive offers to this machine. Newer Dockers write both kinds into one archive; the OCI
// layout tells more, and the names are in both.
func Images(a Archive, want platform.Platform, name string) (list []*Image, err error) {
	data, err := a.Document("index.json")
	kind := ociImages
	if IsMissing(err) {
		data, err = a.Document("manifest.json")
		kind = dockerImages
	}
	if IsMissing(err) {
		return nil, MissingError(a, "the list of its images", "index.json or manifest.json")
	}
	if err != nil {
		return nil, err
	}
	if list, err = kind(a, data, want); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fault.Refusef("there is no image in it")
	}
	if name == "" {
		return list, nil
	}
	if len(list) > 1 {
		return nil, fmt.Errorf("it holds %d images, so that %q cannot name them all: leave the name out", len(list), name)
	}
	full, err := reference.Normalize(name)
	if err != nil {
		return nil, err
	}
	list[0].Names = []string{full}
	return list, nil
}
