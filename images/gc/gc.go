// Package gc decides which images go when the disk is full or when nobody has used them for long. It follows the kubelet
// (pkg/kubelet/images/image_gc_manager.go): least recently used first, down to a threshold. It has no clock and no disk.
package gc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings are the kubelet's (KubeletConfiguration).
type Settings struct {
	High   int           // imageGCHighThresholdPercent: from this use of the disk on images go; 100: never for the disk
	Low    int           // imageGCLowThresholdPercent: until this use is reached
	MinAge time.Duration // imageMinimumGCAge: no image goes that has been here for less
	MaxAge time.Duration // imageMaximumGCAge: one that nobody has used for this long goes in any case; 0: never
}

// Check refuses what a kubelet refuses.
func (s Settings) Check() error {
	switch {
	case s.High < 0 || s.High > 100:
		return fmt.Errorf("imageGCHighThresholdPercent must be between 0 and 100, inclusive, not %d", s.High)
	case s.Low < 0 || s.Low > 100:
		return fmt.Errorf("imageGCLowThresholdPercent must be between 0 and 100, inclusive, not %d", s.Low)
	case s.Low >= s.High:
		return errors.New("imageGCLowThresholdPercent must be less than imageGCHighThresholdPercent")
	case s.MinAge < 0:
		return errors.New("imageMinimumGCAge must not be negative")
	case s.MaxAge < 0:
		return errors.New("imageMaximumGCAge must not be negative")
	case s.MaxAge != 0 && s.MaxAge <= s.MinAge:
		return errors.New("imageMaximumGCAge must be greater than imageMinimumGCAge")
	}
	return nil
}

// Image is one that may go.
type Image struct {
	ID     string
	Layers map[string]int64 // bytes of each, by its folder: those that others have, too, are not freed
	First  time.Time        // when it came
	Last   time.Time        // when a pod used it last; zero: never
	Kept   string           // why it stays whatever happens: "in use", "pinned", "in the folder"; "": it may go
}

func (i *Image) used() time.Time {
	if i.Last.After(i.First) {
		return i.Last
	}
	return i.First
}

// Disk is the file system of the images, in bytes.
type Disk struct{ Capacity, Available int64 }

// Need is how many bytes have to be freed to come down to the low threshold; 0 below the high one.
func (s Settings) Need(d Disk) int64 {
	if s.High >= 100 || d.Capacity <= 0 || 100-int(d.Available*100/d.Capacity) < s.High {
		return 0
	}
	return max(d.Capacity*int64(100-s.Low)/100-d.Available, 0)
}

// Plan is what goes.
type Plan struct {
	IDs   []string
	Bytes int64 // that this frees
	// Short is how many bytes of what was asked for stay.
	Short int64
}

// Choose chooses images to remove: those that are too old, and then as many as free need bytes. now is only compared with
// what was noted before: where the clock has gone back, nothing is old.
func Choose(s Settings, list []Image, need int64, now time.Time) Plan {
	owners := map[string]int{}
	for _, i := range list {
		for dir := range i.Layers {
			owners[dir]++
		}
	}
	var p Plan
	take := func(i *Image) {
		p.IDs = append(p.IDs, i.ID)
		for dir, size := range i.Layers {
			if owners[dir]--; owners[dir] == 0 {
				p.Bytes += size
			}
		}
	}
	var may []*Image
	for n := range list {
		i := &list[n]
		switch {
		case i.Kept != "":
		case s.MaxAge > 0 && now.Sub(i.used()) > s.MaxAge:
			take(i)
		case now.Sub(i.First) >= s.MinAge:
			may = append(may, i)
		}
	}
	slices.SortStableFunc(may, func(a, b *Image) int {
		return cmp.Or(a.Last.Compare(b.Last), a.First.Compare(b.First), cmp.Compare(a.ID, b.ID))
	})
	for _, i := range may {
		if p.Bytes >= need {
			break
		}
		take(i)
	}
	p.Short = max(need-p.Bytes, 0)
	return p
}

// Next is when the next image becomes too old; zero: none does.
func Next(s Settings, list []Image) time.Time {
	var next time.Time
	for n := range list {
		i := &list[n]
		if s.MaxAge == 0 || i.Kept != "" {
			continue
		}
		if at := i.used().Add(s.MaxAge); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}
