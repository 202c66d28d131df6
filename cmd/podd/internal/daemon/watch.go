package daemon

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	store "podd/images"
	"podd/internal/atomicfile"
	"podd/runtime"
)

// watch turns changes of folders into hints.
func (d *daemon) watch(ctx context.Context) {
	follow := func(what string, f func(context.Context, func()) error, hint func()) {
		if err := f(ctx, hint); err != nil && ctx.Err() == nil {
			d.log.Error("cannot watch; changes are seen at the next restart or SIGHUP", "what", what, "error", err)
		}
	}
	policy := fileChange{path: d.config.ImagePolicy}
	go follow("manifests", d.folder.Watch, func() {
		// A manifest that comes after another policy is judged by it, whichever watch is the quicker one.
		if policy.seen() {
			d.imagePulls().policyChanged()
		}
		d.runtime.ManifestsChanged()
	})
	go follow("name servers of the host", func(ctx context.Context, hint func()) error { return watchFile(ctx, d.config.ResolvConfFile, hint) }, d.runtime.ResolverChanged)
	go follow("the machine's network", func(ctx context.Context, hint func()) error {
		return d.network.Watch(ctx, hint, d.runtime.ReportNetwork)
	}, d.runtime.NetworkMoved)
	if policy.path != "" {
		go follow("the policy of images", func(ctx context.Context, hint func()) error {
			return watchFile(ctx, func() string { return policy.path }, hint)
		}, d.imagePulls().policyChanged)
	}
	d.runtime.Importing(true) // until the folder has been looked at
	importing := make(chan struct{}, 1)
	importing <- struct{}{}
	lookAtFolder := func() {
		select {
		case importing <- struct{}{}:
		default:
		}
	}
	d.images.OnAnswer(lookAtFolder)
	go d.importImages(ctx, importing)
	go d.watchImages(ctx, func() {
		if err := d.images.Recheck(); err != nil {
			d.log.Error("cannot read the image store", "error", err)
			d.runtime.SuspectStorage(err)
		}
		d.runtime.ImagesChanged()
		lookAtFolder() // what the store has lost may be there
	})
	go follow("image archives", func(ctx context.Context, hint func()) error {
		return store.WatchFolder(ctx, d.config.Images, hint)
	}, lookAtFolder)
}

// watchImages calls hint when the image store changes or goes, and when it is on a disk that has become one to write to again.
func (d *daemon) watchImages(ctx context.Context, hint func()) {
	watch := func() chan error {
		ended := make(chan error, 1)
		go func() { ended <- d.images.Watch(ctx, hint) }()
		return ended
	}
	for ended := watch(); ctx.Err() == nil; {
		select {
		case err := <-ended:
			switch {
			case ctx.Err() != nil:
			case err == nil: // somebody has removed a folder of the store, which is made again
				ended = watch()
			default:
				ended = nil // until the disk is mended
				d.log.Error("cannot watch the image store", "error", err)
				d.runtime.SuspectStorage(err)
			}
		case <-d.mended:
			if ended == nil {
				ended = watch()
			}
			hint()
		case <-ctx.Done():
		}
	}
}

// layersInUse asks the pods; before there are any, the records that an earlier daemon has left of them.
func (d *daemon) layersInUse() (map[string]bool, error) {
	if d.runtime == nil {
		use, err := runtime.ReadImageUse(d.config.RunDir, d.config.Root)
		return use.Layers, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the loop may have ended
	defer cancel()
	return d.runtime.LayersInUse(ctx)
}

// imageLost says what the image store has lost.
func (d *daemon) imageLost(err error) {
	d.log.Error("the image store has a fault", "error", err)
	if errors.As(err, new(*atomicfile.Damage)) {
		d.recordDamage(err.Error())
		return
	}
	d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "ImageLost", err.Error())
}

// importImages loads archives whenever the folder may have new ones.
func (d *daemon) importImages(ctx context.Context, hint <-chan struct{}) {
	for {
		select {
		case <-hint:
		case <-ctx.Done():
			return
		}
		d.runtime.Importing(true)
		d.garbage().collectImages(ctx, store.Room{})
		results, err := d.images.ImportFolder(ctx, d.config.Images)
		if err != nil {
			d.log.Error("cannot import images", "folder", d.config.Images, "error", err)
			d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "ImageImportFailed", err.Error())
		}
		for _, r := range results {
			if !r.New {
				continue
			}
			if r.Err != nil {
				d.log.Error("cannot import an image", "file", r.File, "error", r.Err)
				d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "ImageImportFailed", r.Err.Error())
				continue
			}
			for _, image := range r.Images {
				d.log.Info("image imported", "file", r.File, "names", image.Names, "id", image.ID)
			}
		}
		d.runtime.Importing(false)
	}
}

// nodeReference is what an event that concerns no pod is about.
func (d *daemon) nodeReference() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Namespace: "default", Name: d.config.NodeName, UID: "podd"}
}

// ReadImageUse is which images, and which layers of the store, the pods of a daemon use that does not run.
func ReadImageUse(runDir, root string) (ids, layers map[string]bool, err error) {
	use, err := runtime.ReadImageUse(runDir, root)
	return use.IDs, use.Layers, err
}
