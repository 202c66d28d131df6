package daemon

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"podd/images/registry"
	"podd/runtime/imagepull"
)

// spoolAge is how long a layer that came in part is kept though nobody asks for the rest.
const spoolAge = 14 * 24 * time.Hour

// openPuller makes what pulls images; nil: nothing does.
func (d *daemon) openPuller() (*imagepull.Puller, error) {
	c := d.config
	if !c.PullImages {
		return nil, nil
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
	d.keepPullSettings()
	return &imagepull.Puller{
		Store: d.images, Client: client, Log: d.log,
		Settings: func() imagepull.Settings { return d.pullSettings.Load().Settings },
		Records: &imagepull.Records{
			File: filepath.Join(c.Root, "imagepulls.json"), Damaged: d.damaged,
			Exists: func(id string) bool { _, err := d.images.Get(id); return err == nil },
		},
		Pulled: func(context.Context) {
			if now := time.Now(); !registry.Unsynchronized() {
				_ = clock.Advance(now) // a hint for the next start
			}
		},
	}, nil
}

// pullSettings are those of pulls, for the goroutines that pull.
type pullSettings struct {
	imagepull.Settings
	rate int64
}

func (d *daemon) keepPullSettings() {
	d.pullSettings.Store(&pullSettings{d.config.Pulls(), d.config.ImagePullBytesPerSecond.Value()})
}
