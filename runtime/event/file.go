package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

const (
	// maxFile is more than all events are, in bytes.
	maxFile = 64 << 20
	// maxRV keeps room above the resource versions that are read.
	maxRV = 1 << 60
)

// file is where events survive the process: a line for each change, the last one
// of an event counts. It is on tmpfs, so that nothing is synced.
type file struct {
	path  string
	f     *os.File
	lines int
	bad   bool // the end of the file may be torn: it must be written anew
	told  bool // of the present trouble
}

// load reads the file and writes it anew without what is out of date.
func (r *Recorder) load() error {
	data, err := atomicfile.Read(r.o.Path, maxFile)
	damaged := err
	if errors.Is(err, fs.ErrNotExist) {
		damaged = nil
	}
	for line := range bytes.Lines(data) {
		var e entry
		if json.Unmarshal(line, &e) != nil || e.Name == "" || e.RV <= r.rv || e.RV > maxRV {
			if bytes.HasSuffix(line, []byte("\n")) || line[0] != '{' { // else it was torn by a full disk or a kill
				damaged = errors.New("not all lines of it are events")
			}
			continue
		}
		r.rv = e.RV
		r.entries[e.key()] = &e
		r.similar.combine(e.Last, e.group(), e.Message)
		r.lastNanos = max(r.lastNanos, nanos(e.Name))
	}
	if damaged != nil {
		r.o.Damaged.Of(atomicfile.SetAside(r.o.Path, damaged), "events that cannot be read are forgotten")
	}
	newest := r.rv
	r.evict(r.o.Max)
	r.rv = newest // nobody has seen these go
	r.history = history{forgotten: r.rv}
	return r.compact()
}

// persist appends an event's line, or writes all if there are too many lines.
func (r *Recorder) persist(e *entry) {
	if r.file.path == "" {
		return
	}
	err := r.write(e)
	if err != nil && !r.file.told && r.o.Warn != nil {
		r.o.Warn(err)
	}
	r.file.told = err != nil
}

func (r *Recorder) write(e *entry) error {
	if r.file.bad || r.file.lines >= 2*r.o.Max {
		return r.compact()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("cannot persist event %s: %w", e.Name, err)
	}
	if _, err := r.file.f.Write(append(line, '\n')); err != nil {
		r.file.bad = true
		return fmt.Errorf("cannot persist event %s: %w", e.Name, err)
	}
	r.file.lines++
	return nil
}

// compact writes a new file with one line for each event and puts it in the place
// of the old one.
func (r *Recorder) compact() error {
	var text bytes.Buffer
	list := r.sorted()
	err := writeLines(&text, list)
	if err == nil {
		err = atomicfile.Write(r.file.path, text.Bytes(), 0o600)
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(r.file.path, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot write events: %w", err)
	}
	r.file.close()
	r.file.f, r.file.lines, r.file.bad = f, len(list), false
	return nil
}

func writeLines(w io.Writer, list []*entry) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	for _, e := range list {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	return out.Flush()
}

// close closes the file if it is open.
func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
