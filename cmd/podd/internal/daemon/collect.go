package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	store "podd/images"
	"podd/images/gc"
)

// collector removes images when the disk is full, and when nobody has used them for long. Nothing ticks: it looks before
// images come, when there is no room, and when the next image becomes too old.
type collector struct {
	settings atomic.Pointer[gc.Settings]
	mu       sync.Mutex // one collection at a time
	timer    *time.Timer
}

// collectBy sets when images go.
func (d *daemon) collectBy(s gc.Settings) { d.collector.settings.Store(&s) }

// imageNeeds asks the pods.
func (d *daemon) imageNeeds(ctx context.Context) (store.Needs, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the loop may have ended
	defer cancel()
	use, err := d.runtime.ImageNeeds(ctx)
	return store.Needs{IDs: use.IDs, Names: use.Names}, err
}

// collectImages frees what the settings ask for, or need bytes if that is not 0, and says whether it freed any.
func (d *daemon) collectImages(ctx context.Context, need int64) bool {
	d.collector.mu.Lock()
	defer d.collector.mu.Unlock()
	needs, err := d.imageNeeds(ctx)
	if err != nil {
		d.log.Debug("images are not collected", "error", err)
		return false
	}
	c, err := d.images.Collect(store.CollectOptions{Settings: *d.collector.settings.Load(), Needs: needs, Now: time.Now(), Need: need})
	if err != nil {
		d.log.Error("cannot collect images", "error", err)
		d.event(corev1.EventTypeWarning, "ImageGCFailed", err.Error())
		d.runtime.SuspectStorage(err)
		return false
	}
	d.collectAgain(ctx, c.Next)
	if len(c.Removed) > 0 {
		text := fmt.Sprintf("Removed %d images that nobody needs and freed %d bytes: %s", len(c.Removed), c.Freed, strings.Join(c.Removed, ", "))
		d.log.Info("images collected", "images", c.Removed, "bytes", c.Freed)
		d.event(corev1.EventTypeNormal, "ImageGCSucceeded", text)
		d.runtime.ImagesChanged()
	}
	if c.Short > 0 {
		d.event(corev1.EventTypeWarning, "FreeDiskSpaceFailed", fmt.Sprintf("Failed to garbage collect required amount of images. "+
			"Attempted to free %d bytes, but only found %d bytes eligible to free.", c.Wanted, c.Freed))
	}
	return c.Freed > 0
}

// collectAgain waits for the moment when the next image becomes too old.
func (d *daemon) collectAgain(ctx context.Context, at time.Time) {
	if d.collector.timer != nil {
		d.collector.timer.Stop()
		d.collector.timer = nil
	}
	if at.IsZero() {
		return
	}
	d.collector.timer = time.AfterFunc(max(time.Until(at), time.Second), func() {
		if ctx.Err() == nil {
			d.collectImages(ctx, 0)
		}
	})
}

// event records what concerns no pod.
func (d *daemon) event(typ, reason, message string) {
	d.events.Record(time.Now(), d.nodeReference(), typ, reason, message)
}

// makeRoom is asked by the image store when an image does not fit.
func (d *daemon) makeRoom(need int64) bool {
	if d.runtime == nil {
		return false
	}
	return d.collectImages(context.Background(), max(need, roomForImage))
}

// roomForImage is what is freed when an image has not fitted at least, as nobody knows how large it will become.
const roomForImage = 256 << 20
