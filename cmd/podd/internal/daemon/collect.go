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

// garbage removes images when the disk is full.
type garbage struct{ d *daemon }

func (d *daemon) garbage() garbage { return garbage{d} }

// collector removes images when the disk is full, and when nobody has used them for long. Nothing ticks: it looks before
// images come, when there is no room, and when the next image becomes too old.
type collector struct {
	settings atomic.Pointer[gc.Settings]
	mu       sync.Mutex // one collection at a time
	timer    *time.Timer
	full     bool      // the last one left the disk fuller than it is to be, under mu
	told     time.Time // when an image last had no room, under mu
}

// tellEach is how often it is told that there is no room for images: each asks several times on its way.
const tellEach = time.Minute

// news says whether it is to be told that a collection has freed too little: once for a disk that stays full, and now and then
// for images that need room.
func (c *collector) news(short, need int64, now time.Time) bool {
	if need > 0 {
		if short <= 0 || now.Sub(c.told) < tellEach {
			return false
		}
		c.told = now
		return true
	}
	was := c.full
	c.full = short > 0
	return c.full && !was
}

// collectBy sets when images go.
func (gb garbage) collectBy(s gc.Settings) { gb.d.collector.settings.Store(&s) }

// imageNeeds asks the pods.
func (gb garbage) imageNeeds(ctx context.Context) (store.Needs, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the loop may have ended
	defer cancel()
	use, err := gb.d.runtime.ImageNeeds(ctx)
	return store.Needs{IDs: use.IDs, Names: use.Names}, err
}

// collectImages frees what the settings ask for, or room if that is not the zero value, and says whether it freed any.
func (gb garbage) collectImages(ctx context.Context, room store.Room) bool {
	gb.d.collector.mu.Lock()
	defer gb.d.collector.mu.Unlock()
	needs, err := gb.imageNeeds(ctx)
	if err != nil {
		gb.d.log.Debug("images are not collected", "error", err)
		return false
	}
	c, err := gb.d.images.Collect(store.CollectOptions{Settings: *gb.d.collector.settings.Load(), Needs: needs, Now: time.Now(), Need: room.Bytes, Inodes: room.Inodes})
	if err != nil {
		gb.d.log.Error("cannot collect images", "error", err)
		gb.event(corev1.EventTypeWarning, "ImageGCFailed", err.Error())
		gb.d.runtime.SuspectStorage(err)
		return false
	}
	gb.collectAgain(ctx, c.Next)
	if len(c.Removed) > 0 {
		text := fmt.Sprintf("Removed %d images that nobody needs and freed %d bytes: %s", len(c.Removed), c.Freed, strings.Join(c.Removed, ", "))
		gb.d.log.Info("images collected", "images", c.Removed, "bytes", c.Freed)
		gb.event(corev1.EventTypeNormal, "ImageGCSucceeded", text)
		gb.d.runtime.ImagesChanged()
	}
	if c.Short > 0 || room.Inodes {
		if client := gb.d.puller.Client; client != nil {
			_ = client.CleanSpool(time.Now().Add(-24*time.Hour), gb.d.images.HasLayer) // whatever of it goes
		}
	}
	if gb.d.collector.news(c.Short, room.Bytes, time.Now()) {
		gb.event(corev1.EventTypeWarning, "FreeDiskSpaceFailed", fmt.Sprintf("Failed to garbage collect required amount of images. "+
			"Attempted to free %d bytes, but only found %d bytes eligible to free.", c.Wanted, c.Freed))
	}
	return c.Freed > 0 || room.Inodes && len(c.Removed) > 0
}

// collectAgain waits for the moment when the next image becomes too old.
func (gb garbage) collectAgain(ctx context.Context, at time.Time) {
	if gb.d.collector.timer != nil {
		gb.d.collector.timer.Stop()
		gb.d.collector.timer = nil
	}
	if at.IsZero() {
		return
	}
	gb.d.collector.timer = time.AfterFunc(max(time.Until(at), time.Second), func() {
		if ctx.Err() == nil {
			gb.collectImages(ctx, store.Room{})
		}
	})
}

// event records what concerns no pod.
func (gb garbage) event(typ, reason, message string) {
	gb.d.events.Record(time.Now(), gb.d.nodeReference(), typ, reason, message)
}

// makeRoom is asked by the image store when an image does not fit.
func (gb garbage) makeRoom(room store.Room) bool {
	if gb.d.runtime == nil {
		return false
	}
	room.Bytes = max(room.Bytes, roomForImage)
	return gb.collectImages(context.Background(), room)
}

// roomForImage is what is freed when an image has not fitted at least, as nobody knows how large it will become.
const roomForImage = 256 << 20
