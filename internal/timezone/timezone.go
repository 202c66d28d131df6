// Package timezone knows the time zones of the IANA database, also on a machine that has no zoneinfo.
//
// The standard library's time/tzdata is the same data in a form that is eight times as large.
package timezone

import (
	"archive/tar"
	"bytes"
	_ "embed" // zoneinfo.tar.zst
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

//go:generate go run ./generate zoneinfo.tar.zst

// zoneinfo has a file a zone, named after it, as of RFC 9636.
//
//go:embed zoneinfo.tar.zst
var zoneinfo []byte

// loaded are zones that were found in zoneinfo, which takes a millisecond.
var loaded sync.Map

// Load finds a zone by its name: the machine's own, else that of the database within podd. "" and UTC are UTC.
func Load(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	if zone, ok := loaded.Load(name); ok {
		return zone.(*time.Location), nil
	}
	data, embedErr := embedded(name)
	if embedErr != nil {
		return nil, errors.Join(err, embedErr)
	}
	if data == nil {
		return nil, err
	}
	if zone, err = time.LoadLocationFromTZData(name, data); err == nil {
		loaded.Store(name, zone)
	}
	return zone, err
}

// embedded is the file of a zone; nil: there is no such zone.
func embedded(name string) ([]byte, error) {
	z, err := zstd.NewReader(bytes.NewReader(zoneinfo), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("cannot read podd's time zones: %w", err)
	}
	defer z.Close()
	files := tar.NewReader(z)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err == nil && h.Name == name {
			data, err := io.ReadAll(files)
			return data, err
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read podd's time zones: %w", err)
		}
	}
}
