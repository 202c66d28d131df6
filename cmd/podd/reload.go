package main

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	d.tell(fdstore.Reloading, fdstore.Status("Reading the configuration and the folder"))
	next, text, err := d.source.read()
	if err == nil {
		d.change(&next)
	}
	d.judge(text, err)
	if err := d.runtime.Rescan(ctx); err != nil {
		return // podd ends
	}
	d.tell(fdstore.Ready, d.describe())
}

// judge says what is wrong with a configuration file, or remembers it as good.
func (d *daemon) judge(text []byte, problem error) {
	if problem == nil {
		d.refused.set("")
		if err := d.source.keep(text); err != nil {
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
func (d *daemon) change(next *Config) {
	if later := laterKeys(d.config, next); len(later) > 0 {
		d.log.Warn("settings have changed that count from the next restart of podd on", "keys", strings.Join(later, " "))
	}
	c := d.config
	c.ContainerLogMaxSize, c.ContainerLogMaxFiles = next.ContainerLogMaxSize, next.ContainerLogMaxFiles
	c.PodPidsLimit, c.ShutdownGracePeriod, c.Logging.Level = next.PodPidsLimit, next.ShutdownGracePeriod, next.Logging.Level
	c.DefaultRlimits, c.AllowedUnsafeSysctls = next.DefaultRlimits, next.AllowedUnsafeSysctls
	relabelled := !maps.Equal(c.NodeLabels, next.NodeLabels)
	c.NodeLabels = next.NodeLabels
	d.runtime.Change(d.settings())
	if relabelled {
		d.folder.Reread()
	}
	d.setLevel()
}

// setLevel makes the log as verbose as the configuration has it.
func (d *daemon) setLevel() {
	level, err := parseLevel(d.config.Logging.Level)
	if err != nil {
		level = slog.LevelInfo
	}
	d.level.Set(level)
}

// liveKeys are the settings that a reload changes.
func liveKeys() []string {
	return []string{"containerLogMaxSize", "containerLogMaxFiles", "podPidsLimit", "shutdownGracePeriod", "defaultRlimits", "allowedUnsafeSysctls", "nodeLabels", "logging.level"}
}

// laterKeys are the keys of the file that differ and that only a restart takes over.
func laterKeys(now, next *Config) []string {
	var keys []string
	live := liveKeys()
	eachKey("", reflect.ValueOf(now).Elem(), reflect.ValueOf(next).Elem(), func(key string, a, b reflect.Value) {
		if !slices.Contains(live, key) && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			keys = append(keys, key)
		}
	})
	return keys
}

// eachKey visits every key of the configuration file, "a.b" within "a".
func eachKey(prefix string, a, b reflect.Value, visit func(key string, a, b reflect.Value)) {
	t := a.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("json")
		if tag == "" {
			continue
		}
		key := prefix + strings.Split(tag, ",")[0]
		if t.Field(i).Type.Kind() == reflect.Struct && t.Field(i).Type.PkgPath() == t.PkgPath() {
			if key != prefix { // else the field is inlined
				key += "."
			}
			eachKey(key, a.Field(i), b.Field(i), visit)
			continue
		}
		visit(key, a.Field(i), b.Field(i))
	}
}
