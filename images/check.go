package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"podd/images/layer"
	"podd/internal/atomicfile"
)

// checks notes which layers may be torn by a power cut.
type checks struct{ s *Store }

func (s *Store) checks() checks { return checks{s} }

// tornSuffix marks a layer that is not what it was: nothing runs from it until it is mended or has come again.
const tornSuffix = ".torn"

func (ch checks) ledgerFile(dir string) string { return filepath.Join(ch.s.dir("d"), dir) }

// markTorn takes a layer out of use. Its files stay: those that are whole need not come again.
func (ch checks) markTorn(dir string) error {
	return ch.s.changing(func() error {
		if ch.s.state.Load().torn[dir] {
			return nil
		}
		if err := atomicfile.WriteSync(ch.ledgerFile(dir)+tornSuffix, []byte("damaged\n"), 0o600); err != nil {
			return fmt.Errorf("cannot mark a damaged layer: %w", err)
		}
		return ch.s.records().bumpGeneration()
	})
}

// markWhole puts a layer into use again.
func (ch checks) markWhole(dir string) error {
	return ch.s.changing(func() error {
		if err := os.Remove(ch.ledgerFile(dir) + tornSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot mark a layer as whole: %w", err)
		}
		if err := atomicfile.SyncDir(ch.s.dir("d")); err != nil {
			return fmt.Errorf("cannot mark a layer as whole: %w", err)
		}
		return ch.s.records().bumpGeneration()
	})
}

const cleanEnd = "clean"

// CloseClean notes that the store was left in order, so that the next boot need not look at its layers.
func (s *Store) CloseClean() error {
	if err := atomicfile.WriteSync(s.dir("checked"), []byte(cleanEnd+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot note that the image store is in order: %w", err)
	}
	return nil
}

// checkAfterBoot looks at all layers if the machine went down without warning since the store was used last: a disk that
// does not keep its word leaves files empty or missing.
func (ch checks) checkAfterBoot(boot string) error {
	if boot == "" {
		return nil
	}
	data, err := atomicfile.Read(ch.s.dir("checked"), 128)
	last := strings.TrimSpace(string(data))
	if err == nil && last == boot {
		return nil
	}
	if last != cleanEnd {
		if err := ch.s.CheckShapes(); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteSync(ch.s.dir("checked"), []byte(boot+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot note that the image store was looked at: %w", err)
	}
	return nil
}

// checkers look at layers at a time: flash answers several questions as fast as one.
const checkers = 4

// CheckShapes compares names, sizes and attributes of all files with what they were. It reads no content. A layer that
// differs is taken out of use, and Options.Warn hears of it.
func (s *Store) CheckShapes() error {
	var todo []layer.Record
	for _, r := range s.state.Load().records {
		for _, l := range r.Layers {
			known := slices.ContainsFunc(todo, func(t layer.Record) bool { return t.Dir == l.Dir })
			if l.Shape != "" && !known && !s.state.Load().torn[l.Dir] {
				todo = append(todo, l)
			}
		}
	}
	var wait sync.WaitGroup
	next := make(chan layer.Record)
	errs := make([]error, checkers)
	for i := range checkers {
		wait.Go(func() {
			for l := range next {
				if err := s.checks().checkShape(l); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for _, l := range todo {
		next <- l
	}
	close(next)
	wait.Wait()
	return errors.Join(errs...)
}

func (ch checks) checkShape(l layer.Record) error {
	shape, err := layer.Shape(filepath.Join(ch.s.dir("l"), l.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is lost, which shows by itself
	}
	if err == nil && shape == l.Shape {
		return nil
	}
	if err := ch.markTorn(l.Dir); err != nil {
		return err
	}
	ch.s.records().warnOnce(ch.tornError(l.Dir, errors.Join(err, errors.New("its files are not what they were"))))
	return nil
}

// tornError says which images a damaged layer takes out of use.
func (ch checks) tornError(dir string, why error) error {
	var titles []string
	for _, r := range ch.s.state.Load().records {
		if slices.ContainsFunc(r.Layers, func(l layer.Record) bool { return l.Dir == dir }) {
			titles = append(titles, ch.s.state.Load().byID[r.ID].title())
		}
	}
	return fmt.Errorf("layer %s of image %s was set aside: %w; its archive is read again if it is in the folder of archives, "+
		"else load it again, or see podd images verify", dir, strings.Join(titles, ", "), why)
}
