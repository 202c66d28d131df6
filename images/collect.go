package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/gc"
	"podd/images/reference"
	"podd/internal/atomicfile"
)

// garbage says which images may go.
type garbage struct{ s *Store }

func (s *Store) garbage() garbage { return garbage{s} }

// Needs are the images that pods have or may want. What is not in it may go.
type Needs struct {
	IDs   map[string]bool // of containers, of volumes, of versions to go back to
	Names map[string]bool // in the manifests of pods and of what makes pods, as they are written
}

// CollectOptions say what may be removed.
type CollectOptions struct {
	Settings gc.Settings
	Needs    Needs
	Now      time.Time
	// Need is how many bytes have to be free; 0: as many as the thresholds ask for.
	Need int64
	// Inodes: the file system has none left, and whatever may go does, as with a kubelet: nobody counts the files of layers.
	Inodes bool
	// All removes whatever nobody needs, whatever its age. Nameless removes what has lost its last name.
	All, Nameless bool
	DryRun        bool
}

// Collected is what became of a collection.
type Collected struct {
	Removed []string  // titles of images
	Freed   int64     // bytes
	Wanted  int64     // bytes that were to be freed
	Short   int64     // bytes of that which were not
	Next    time.Time // when the next image may be too old; zero: none
}

// Collect removes images that nobody needs: least recently used first. Never one that Needs names, that is pinned, or that
// an archive in the folder has brought.
func (s *Store) Collect(o CollectOptions) (Collected, error) {
	var c Collected
	var plan gc.Plan
	err := s.changing(func() error {
		list := s.garbage().candidates(o)
		disk, err := s.garbage().disk()
		if err != nil {
			return err
		}
		switch {
		case o.All, o.Nameless:
			for _, i := range list {
				if i.Kept == "" && (o.All || len(s.state.Load().byID[i.ID].Names) == 0) {
					plan.IDs = append(plan.IDs, i.ID)
				}
			}
			plan.Bytes = s.garbage().freedBy(plan.IDs)
		case o.Inodes:
			plan = gc.Choose(o.Settings, list, math.MaxInt64, o.Now)
			c.Wanted, plan.Short = plan.Bytes, 0
		case o.Need > 0:
			c.Wanted = max(o.Need-disk.Available, 0)
			plan = gc.Choose(o.Settings, list, c.Wanted, o.Now)
		default:
			c.Wanted = o.Settings.Need(disk)
			plan = gc.Choose(o.Settings, list, c.Wanted, o.Now)
		}
		c.Freed, c.Short = plan.Bytes, plan.Short
		list = slices.DeleteFunc(list, func(i gc.Image) bool { return slices.Contains(plan.IDs, i.ID) })
		if c.Next = gc.Next(o.Settings, list); o.Settings.MaxAge > 0 && len(list) > 0 && c.Next.IsZero() {
			c.Next = o.Now.Add(o.Settings.MaxAge) // what is kept now may not be then
		}
		for _, id := range plan.IDs {
			c.Removed = append(c.Removed, s.state.Load().byID[id].title())
			if o.DryRun {
				continue
			}
			if err := s.removal().drop(id); err != nil {
				return err
			}
		}
		return s.uses.save(s.dir("used.json"), s.state.Load(), o.Now)
	})
	if err != nil || o.DryRun || len(plan.IDs) == 0 && c.Short == 0 && !o.All && !o.Inodes {
		return c, err
	}
	age := keepFor
	switch {
	case o.All:
		age = 0
	case c.Short > 0 || o.Inodes:
		age = keepIfShort
	}
	freed, err := s.removal().collectOld(age)
	c.Freed, c.Short = c.Freed+freed, max(c.Short-freed, 0)
	return c, err
}

// disk is the file system of the store.
func (gb garbage) disk() (gc.Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(gb.s.root, &st); err != nil {
		return gc.Disk{}, fmt.Errorf("cannot tell how full the disk of the images is: %w", err)
	}
	if st.Blocks == 0 {
		return gc.Disk{}, errors.New("invalid capacity 0 on image filesystem")
	}
	size := int64(st.Bsize) // of 32 bits on some processors
	return gc.Disk{Capacity: int64(st.Blocks) * size, Available: int64(st.Bavail) * size}, nil
}

// freedBy is the size of the layers that no other image has.
func (gb garbage) freedBy(ids []string) (n int64) {
	stay, gone := map[string]bool{}, map[string]int64{}
	for _, r := range gb.s.state.Load().records {
		for _, l := range r.Layers {
			if slices.Contains(ids, r.ID) {
				gone[l.Dir] = l.Size
			} else {
				stay[l.Dir] = true
			}
		}
	}
	for dir, size := range gone {
		if !stay[dir] {
			n += size
		}
	}
	return n
}

// candidates lists all images with what is known of their use.
func (gb garbage) candidates(o CollectOptions) []gc.Image {
	state := gb.s.state.Load()
	kept := map[string]string{}
	for _, m := range gb.s.imports().readMemory() {
		for _, id := range m.IDs {
			kept[id] = "in the folder"
		}
	}
	for _, ref := range gb.readPins() {
		if img, err := state.find(ref); err == nil {
			kept[img.ID] = "pinned"
		}
	}
	gb.s.uses.open(gb.s.dir("used.json"))
	for name := range o.Needs.Names {
		if img, err := state.find(name); err == nil {
			kept[img.ID] = "wanted"
			gb.s.uses.note(img.ID, o.Now)
		}
	}
	for id := range o.Needs.IDs {
		kept[id] = "in use"
		gb.s.uses.note(id, o.Now)
	}
	var list []gc.Image
	for _, r := range state.records {
		u := gb.s.uses.of(r.ID, o.Now)
		i := gc.Image{ID: r.ID, Layers: map[string]int64{}, First: u.First, Last: u.Last, Kept: kept[r.ID]}
		for _, l := range r.Layers {
			i.Layers[l.Dir] = l.Size
		}
		list = append(list, i)
	}
	return list
}

// use is when an image came and when a pod used it last.
type use struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last,omitzero"`
}

// uses is what is known of the use of images. Flash wears: a use that is younger than useSaved than what is in the file is
// not worth a write.
type uses struct {
	mu    sync.Mutex
	known map[string]use
	saved map[string]use
}

const useSaved = 24 * time.Hour

// open reads the file once. A damaged one costs the ages, no image.
func (u *uses) open(file string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.saved != nil {
		return
	}
	saved := map[string]use{}
	if err := atomicfile.LoadJSON(file, &saved, nil); err != nil {
		saved = map[string]use{}
	}
	u.saved = saved
	if u.known == nil {
		u.known = map[string]use{}
	}
	for id, s := range saved {
		k := u.known[id]
		k.First = s.First
		if s.Last.After(k.Last) {
			k.Last = s.Last
		}
		u.known[id] = k
	}
}

// clockKnown is false on a board without a battery clock that has not been told the time yet: nothing is noted then.
func clockKnown(now time.Time) bool { return now.Year() >= 2024 }

// note says that a pod uses an image.
func (u *uses) note(id string, now time.Time) {
	if !clockKnown(now) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known == nil {
		u.known = map[string]use{}
	}
	k := u.known[id]
	if now.After(k.Last) {
		k.Last = now
	}
	u.known[id] = k
}

// of is what is known of an image; one that is new came now.
func (u *uses) of(id string, now time.Time) use {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := u.known[id]
	if k.First.IsZero() {
		k.First = now
		if clockKnown(now) {
			u.known[id] = k
		}
	}
	return k
}

// save writes what is worth it.
func (u *uses) save(file string, state *snapshot, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.known, func(id string, _ use) bool { return state.byID[id] == nil })
	worth := len(u.known) != len(u.saved)
	for id, k := range u.known {
		s, there := u.saved[id]
		worth = worth || !there || k.Last.Sub(s.Last) >= useSaved
	}
	if !worth {
		return nil
	}
	data, err := json.Marshal(u.known)
	if err == nil {
		err = atomicfile.WriteSync(file, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note when images were used: %w", err)
	}
	u.saved = maps.Clone(u.known)
	return nil
}

// Pin keeps an image from being collected, by name or ID: a name keeps whatever image has it. It gives what is pinned.
func (s *Store) Pin(ref string) (string, error) {
	return s.garbage().changePins(ref, func(pins []string, ref string) []string {
		if slices.Contains(pins, ref) {
			return pins
		}
		return append(pins, ref)
	})
}

// Unpin takes the pin away.
func (s *Store) Unpin(ref string) (string, error) {
	return s.garbage().changePins(ref, func(pins []string, ref string) []string {
		return slices.DeleteFunc(pins, func(p string) bool { return p == ref })
	})
}

func (gb garbage) changePins(ref string, change func([]string, string) []string) (pinned string, err error) {
	err = gb.s.changing(func() error {
		img, err := gb.s.state.Load().find(ref)
		if err != nil {
			return err
		}
		pinned = img.ID
		if r, err := reference.Parse(ref); err == nil && slices.Contains(img.Names, r.String()) {
			pinned = r.String()
		}
		pins := change(gb.readPins(), pinned)
		slices.Sort(pins)
		data, err := json.Marshal(pins)
		if err == nil {
			err = atomicfile.WriteSync(gb.s.dir("pins.json"), append(data, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("cannot pin image %s: %w", ref, err)
		}
		return gb.s.records().bumpGeneration()
	})
	return pinned, err
}

// readPins: a damaged list keeps nothing, which is said.
func (gb garbage) readPins() []string {
	var pins []string
	if err := atomicfile.LoadJSON(gb.s.dir("pins.json"), &pins, nil); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			gb.s.records().warnOnce(fmt.Errorf("no image is pinned any more: %w", err))
		}
		return nil
	}
	return pins
}

// Pinned says which of the images are pinned, by ID.
func (s *Store) Pinned() map[string]bool {
	out := map[string]bool{}
	for _, ref := range s.garbage().readPins() {
		if img, err := s.state.Load().find(ref); err == nil {
			out[img.ID] = true
		}
	}
	return out
}
