package daemon

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/config"
	"podd/runtime/fdstore"
)

// refusal is the sentence about a configuration file that cannot be used, for everybody to read.
type refusal struct{ sentence atomic.Value }

func (r *refusal) get() string {
	s, _ := r.sentence.Load().(string)
	return s
}

func (r *refusal) set(s string) { r.sentence.Store(s) }

// reload reads the configuration and the folder again.
func (d *daemon) reload(ctx context.Context) {
	d.notify(fdstore.Reloading, fdstore.Status("Reading the configuration and the folder"))
	next, text, err := d.source.Read()
	if err == nil {
		d.change(&next)
	}
	d.judge(text, err)
	if err := d.runtime.Rescan(ctx); err != nil {
		return // podd ends
	}
	d.notify(fdstore.Ready, d.describe())
}

// judge says what is wrong with a configuration file, or remembers it as good.
func (d *daemon) judge(text []byte, problem error) {
	if problem == nil {
		d.refused.set("")
		if err := d.source.Keep(text); err != nil {
			d.log.Warn("a later mistake in the configuration would bring the defaults", "error", err)
		}
		return
	}
	if said := problem.Error(); said != d.refused.get() {
		d.refused.set(said)
		d.log.Error("configuration refused; podd goes on with what it has", "error", said)
		d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "ConfigRefused", said)
	}
}

// change takes over what may change while pods run, and names the rest.
func (d *daemon) change(next *config.Config) {
	if later := config.LaterKeys(d.config, next); len(later) > 0 {
		d.log.Warn("settings have changed that count from the next restart of podd on", "keys", strings.Join(later, " "))
	}
	otherwise := !maps.Equal(d.config.NodeLabels, next.NodeLabels) || d.config.UnknownKinds != next.UnknownKinds
	d.config.TakeLive(next)
	d.garbage().collectBy(next.Collection())
	d.runtime.Change(d.settings())
	requireDelay(d)
	d.imagePulls().keepPullSettings()
	images := d.config.ImagesConfig
	d.imageRules.Store(&images)
	d.imagePulls().policyChanged()
	if otherwise {
		d.folder.Reread()
	}
	d.setLevel()
}

// setLevel makes the log as verbose as the configuration has it.
func (d *daemon) setLevel() {
	level, err := config.ParseLevel(d.config.Logging.Level)
	if err != nil {
		level = slog.LevelInfo
	}
	d.level.Set(level)
}
