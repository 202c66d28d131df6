package runtime

// Hints are what others tell the loop: something may have changed. Any goroutine may call them, and none waits for the loop.
type Hints struct{ inbox *inbox }

// Touch says that something worked outside of the loop, and so the daemon is not idle.
func (h Hints) Touch() { h.inbox.put(msgTouch{}) }

// ManifestsChanged hints that the folder may have changed.
func (h Hints) ManifestsChanged() { h.inbox.put(msgManifests{}) }

// Importing says that archives of images are being read, or that all of them have been.
func (h Hints) Importing(now bool) { h.inbox.put(msgImporting{now}) }

// ImagesChanged hints that the set of images may have changed.
func (h Hints) ImagesChanged() { h.inbox.put(msgImages{}) }

// PolicyChanged hints that other images may run from now on.
func (h Hints) PolicyChanged() { h.inbox.put(msgPolicy{}) }

// NetworkMoved hints that the machine's addresses may have changed.
func (h Hints) NetworkMoved() { h.inbox.put(msgMoved{}) }

// ResolverChanged hints that the host's resolv.conf may be another one.
func (h Hints) ResolverChanged() { h.inbox.put(msgResolver{}) }

// SuspectStorage says that an error may come from a disk that is full or cannot be written.
func (h Hints) SuspectStorage(err error) { h.inbox.put(msgSuspect{err}) }

// StopAll ends every pod gracefully; Run returns after the last.
func (h Hints) StopAll() { h.inbox.put(msgStopAll{}) }

// Change takes other settings from now on: for containers and pods that start later, and for the next stop.
func (h Hints) Change(s Settings) { h.inbox.put(msgSettings{s}) }
