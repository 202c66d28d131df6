package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	store "podd/images"
	"podd/internal/atomicfile"
	"podd/internal/escape"
	"podd/runtime"
	"podd/runtime/api"
)

// localImages is the store on disk. A daemon that starts in the meantime notices the change.
type localImages struct {
	store *store.Store
	use   func() (runtime.ImageUse, error)
}

// openLocalImages opens the store of a daemon that does not run, but whose pods may.
func openLocalImages(root string) (imageStore, error) {
	use := func() (runtime.ImageUse, error) { return runtime.ReadImageUse(readRunDir(root), root) }
	s, err := store.Open(filepath.Join(root, "images"), store.Options{
		InUse: func() (map[string]bool, error) { u, err := use(); return u.Layers, err },
		Warn:  func(err error) { fmt.Fprintln(os.Stderr, "podd:", escape.Line(err.Error())) },
	})
	if err != nil {
		return nil, err
	}
	return &localImages{s, use}, nil
}

// keepRunDir notes beside the images where the records of the pods are that use them, for commands that find no daemon.
func keepRunDir(root, runDir string, damaged atomicfile.Report) error {
	file := filepath.Join(root, "run-dir")
	same := false
	err := atomicfile.Load(file, maxPath, func(text []byte) error {
		same = string(text) == runDir
		if !filepath.IsAbs(string(text)) {
			return errors.New("it names no folder")
		}
		return nil
	})
	if same {
		return nil
	}
	damaged.Of(err, "it is written again")
	if err := atomicfile.WriteSync(file, []byte(runDir), 0o600); err != nil {
		return fmt.Errorf("cannot note the folder of the pods' records: %w", err)
	}
	return nil
}

// maxPath is that of the kernel, in bytes.
const maxPath = 4096

func readRunDir(root string) string {
	if text, err := atomicfile.Read(filepath.Join(root, "run-dir"), maxPath); err == nil && filepath.IsAbs(string(text)) {
		return string(text)
	}
	return defaultConfig().RunDir
}

func (l *localImages) list(context.Context) ([]api.ImageInfo, error) {
	return imageInfos(l.store.List()), nil
}

func (l *localImages) load(ctx context.Context, r io.Reader, name string) ([]api.ImageInfo, error) {
	loaded, err := l.store.Load(ctx, r, store.LoadOptions{Name: name})
	return imageInfos(loaded), err
}

func (l *localImages) loadFolder(ctx context.Context, path, name string) ([]api.ImageInfo, error) {
	loaded, err := l.store.LoadPath(ctx, path, store.LoadOptions{Name: name})
	return imageInfos(loaded), err
}

func (l *localImages) remove(_ context.Context, ref string) ([]string, error) {
	use, err := l.use()
	if err != nil {
		return nil, err
	}
	return l.store.Remove(ref, func(id string) bool { return use.IDs[id] })
}

func imageInfos(list []store.Image) []api.ImageInfo {
	infos := make([]api.ImageInfo, len(list))
	for i := range list {
		img := &list[i]
		infos[i] = api.ImageInfo{
			ID: img.ID, Names: img.Names, Digest: img.Digest, Size: img.Size, Created: img.Created, Platform: img.Platform,
		}
	}
	return infos
}
