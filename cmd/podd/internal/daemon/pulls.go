package daemon

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images/registry"
	"podd/runtime/imagepull"
)

// spoolAge is how long a layer that came in part is kept though nobody asks for the rest.
const spoolAge = 14 * 24 * time.Hour

// openPuller makes what pulls images, and what judges them.
func (d *daemon) openPuller() (*imagepull.Puller, error) {
	c := d.config
	d.keepPullSettings()
	gate := d.openGate()
	if !c.PullImages {
		return &imagepull.Puller{
			Store: d.images, Gate: gate, Log: d.log, Records: d.pullRecords(), Settings: func() imagepull.Settings { return d.pullSettings.Load().Settings },
		}, nil
	}
	for name, value := range map[string]string{"HTTP_PROXY": c.HTTPProxy, "HTTPS_PROXY": c.HTTPSProxy, "NO_PROXY": c.NoProxy} {
		if value != "" {
			_ = os.Setenv(name, value)
		}
	}
	plugins, err := c.Providers()
	if err != nil {
		return nil, err
	}
	clock := &registry.Clock{
		File: filepath.Join(c.Root, "clock"), Others: []string{"/var/lib/systemd/timesync/clock", "/etc/fake-hwclock.data"},
	}
	if now := time.Now(); !now.Before(clock.Floor()) && !registry.Unsynchronized() {
		if err := clock.Advance(now); err != nil {
			d.log.Debug("cannot note the time", "error", err)
		}
	}
	client := &registry.Client{
		Hosts: registry.Hosts{Registries: c.RegistriesConf, Certs: c.RegistryCerts},
		Node: &registry.NodeKeys{
			Files: c.RegistryAuth, Registries: c.RegistriesConf, Plugins: plugins, Log: d.log,
			HelperPath: filepath.SplitList(os.Getenv("PATH")),
		},
		Agent: "podd/" + d.version,
		Rate:  func() int64 { return d.pullSettings.Load().rate },
		Proxy: func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) },
		Floor: clock.Floor, Unsynchronized: registry.Unsynchronized,
		Spool: filepath.Join(c.Root, "images", "spool"), Log: d.log,
	}
	if err := client.CleanSpool(time.Now().Add(-spoolAge)); err != nil {
		d.log.Debug("old downloads stay", "error", err)
	}
	gate.Client = client
	return &imagepull.Puller{
		Store: d.images, Client: client, Gate: gate, Log: d.log, Working: pulling,
		Settings: func() imagepull.Settings { return d.pullSettings.Load().Settings },
		Records:  d.pullRecords(),
		Pulled: func(context.Context) {
			if now := time.Now(); !registry.Unsynchronized() {
				_ = clock.Advance(now) // a hint for the next start
			}
		},
	}, nil
}

func (d *daemon) pullRecords() *imagepull.Records {
	return &imagepull.Records{
		File: filepath.Join(d.config.Root, "imagepulls.json"), Damaged: d.damaged,
		Exists: func(id string) bool { _, err := d.images.Get(id); return err == nil },
	}
}

// openGate reads which images may run. A policy that cannot be read lets none.
func (d *daemon) openGate() *imagepull.Gate {
	d.imageRules.Store(&d.config.ImagesConfig)
	gate := &imagepull.Gate{Store: d.images, Load: func() (*imagepull.Rules, error) { return d.imageRules.Load().Rules() }}
	d.readPolicy(gate)
	return gate
}

// readPolicy reads the policy of images anew, and says what is wrong with it.
func (d *daemon) readPolicy(gate *imagepull.Gate) {
	if err := gate.Reload(); err != nil {
		d.log.Error("no image may run", "error", err)
		d.event(corev1.EventTypeWarning, "ImagePolicyRefused", err.Error()+": no image may run before this is mended")
	}
}

// policyChanged takes over another policy of images.
func (d *daemon) policyChanged() {
	d.readPolicy(d.puller.Gate)
	d.runtime.PolicyChanged()
}

// pullSettings are those of pulls, for the goroutines that pull.
type pullSettings struct {
	imagepull.Settings
	rate int64
}

func (d *daemon) keepPullSettings() {
	d.pullSettings.Store(&pullSettings{d.config.Pulls(), d.config.ImagePullBytesPerSecond.Value()})
}
