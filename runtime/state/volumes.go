package state

import "time"

// The delays between tries of a pod's volumes are the kubelet's.
const (
	volumeBackoffFirst = 500 * time.Millisecond
	volumeBackoffMax   = 2*time.Minute + 2*time.Second
)

// MarkReady takes in that the volumes are there: the folders of claims and the IDs of images, by the volume's name.
func (v *VolumesRecord) MarkReady(folders, images map[string]string) {
	*v = VolumesRecord{Ready: true, Folders: folders, Images: images, Layers: v.Layers, Pulls: v.Pulls}
}

// Postpone takes in why the volumes could not be made, and lets them rest the longer the more often that happens.
func (v *VolumesRecord) Postpone(err error, now Instant) {
	delay := max(v.Backoff, volumeBackoffFirst)
	v.Backoff, v.NotBefore, v.Error = min(2*delay, volumeBackoffMax), now.After(delay), err.Error()
}

// RetryNow ends the rest: what was missing may be there.
func (v *VolumesRecord) RetryNow() { v.NotBefore, v.Backoff = 0, 0 }
