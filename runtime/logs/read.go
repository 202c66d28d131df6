package logs

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// ReadOptions are those of kubectl logs (corev1.PodLogOptions).
type ReadOptions struct {
	Attempt    int
	TailLines  *int64    // nil: all
	LimitBytes *int64    // nil: no limit; of output
	SinceTime  time.Time // zero: all
	Timestamps bool
	Stream     string // stdout, stderr, or empty for both

	Follow bool
	// Done says to a follower that nothing more will be written: it returns at the
	// end of what is there. Nil: it follows until its context ends.
	Done <-chan struct{}
}

// Read writes what one attempt of a container said to w, oldest first and across
// rotated files; where the kubelet begins with the current file, this begins with
// the oldest that is kept. dir is the container's folder. Lines that were split
// are joined. Without any file of that attempt the error is ErrNoLog. A follower
// returns nil when its context ends, and writes at once, be it nothing.
func Read(ctx context.Context, dir string, o ReadOptions, w io.Writer) error {
	t := track{ctx: ctx, dir: dir, base: strconv.Itoa(o.Attempt) + ".log"}
	defer t.close()
	var news *watcher
	if o.Follow {
		// Before the first look, or what happens in between is never heard of.
		var err error
		if news, err = watch(ctx, dir, o.Done); err != nil {
			return fmt.Errorf("cannot follow log of attempt %d: %w", o.Attempt, err)
		}
		defer news.close()
	}
	if err := t.open(); err != nil {
		return fmt.Errorf("cannot read log of attempt %d: %w", o.Attempt, err)
	}
	if o.Follow {
		// Who follows a log that says nothing yet hears that there is one.
		if _, err := w.Write(nil); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(w, maxContent)
	p := newPrinter(out, o)
	if o.TailLines != nil {
		if err := t.skipToTail(*o.TailLines, o.Stream); err != nil {
			if o.Follow && ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("cannot find the tail of log %s: %w", t.base, err)
		}
	}
	err := stream(ctx, &t, p, out, news)
	if errors.Is(err, errLimit) {
		err = nil
	}
	return errors.Join(err, out.Flush())
}

// stream prints file after file; a follower waits at the end for more.
func stream(ctx context.Context, t *track, p *printer, out *bufio.Writer, news *watcher) error {
	for {
		// Asked before reading: what was written before the end is read below.
		ended := news.ended()
		if err := t.copyTo(ctx, p); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if t.next() {
			continue
		}
		if news == nil {
			return nil
		}
		if err := out.Flush(); err != nil {
			return err
		}
		grown, err := t.grow()
		if err != nil {
			return err
		}
		if grown {
			continue // first the rest of the file that is now rotated
		}
		if ended || !news.wait() {
			return nil
		}
	}
}

// Tail gives the last lines of an attempt, at most maxLines and of those at most
// the last maxBytes, for terminationMessagePolicy FallbackToLogsOnError. Without a
// log it is empty.
func Tail(dir string, attempt, maxBytes, maxLines int) (string, error) {
	lines := int64(maxLines)
	last := lastBytes{max: maxBytes}
	ctx, cancel := context.WithTimeout(context.Background(), tailPatience)
	defer cancel()
	err := Read(ctx, dir, ReadOptions{Attempt: attempt, TailLines: &lines}, &last)
	if errors.Is(err, ErrNoLog) {
		err = nil
	}
	return string(last.kept), cmp.Or(err, ctx.Err())
}

// tailPatience is how long Tail looks for lines: the end of a container waits for it.
const tailPatience = 5 * time.Second

// lastBytes keeps the last max bytes written to it.
type lastBytes struct {
	max  int
	kept []byte
}

func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p[max(0, len(p)-l.max):]...)
	if surplus := len(l.kept) - l.max; surplus > 0 {
		l.kept = slices.Delete(l.kept, 0, surplus)
	}
	return len(p), nil
}
