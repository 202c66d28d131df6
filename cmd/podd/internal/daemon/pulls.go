package daemon

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/config"
	"podd/images/registry"
	"podd/runtime/imagepull"
)

// imagePulls wires what pulls and judges images.
type imagePulls struct{ d *daemon }

func (d *daemon) imagePulls() imagePulls { return imagePulls{d} }

// spoolAge is how long a layer that came in part is kept though nobody asks for the rest.
const spoolAge = 14 * 24 * time.Hour

// openPuller makes what pulls images, and what judges them.
func (pu imagePulls) openPuller() (*imagepull.Puller, error) {
	c := pu.d.config
	pu.keepPullSettings()
	gate := pu.openGate()
	if !c.PullImages {
		return &imagepull.Puller{
			Store: pu.d.images, Gate: gate, Log: pu.d.log, Records: pu.pullRecords(), Settings: func() imagepull.Settings { return pu.d.pullSettings.Load().Settings },
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
			pu.d.log.Debug("cannot note the time", "error", err)
		}
	}
	client := &registry.Client{
		Hosts: registry.Hosts{Registries: c.RegistriesConf, Certs: c.RegistryCerts},
		Node: &registry.NodeKeys{
			Files: c.RegistryAuth, Registries: c.RegistriesConf, Plugins: plugins, Log: pu.d.log,
			HelperPath: filepath.SplitList(os.Getenv("PATH")),
		},
		Agent: "podd/" + pu.d.version,
		Rate:  func() int64 { return pu.d.pullSettings.Load().rate },
		Proxy: func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) },
		Floor: clock.Floor, Unsynchronized: registry.Unsynchronized,
		Spool: filepath.Join(c.Root, "images", "spool"), Log: pu.d.log,
	}
	if err := client.CleanSpool(time.Now().Add(-spoolAge), pu.d.images.HasLayer); err != nil {
		pu.d.log.Debug("old downloads stay", "error", err)
	}
	gate.Client = client
	return &imagepull.Puller{
		Store: pu.d.images, Client: client, Peers: pu.openPeers(client), Gate: gate, Log: pu.d.log,
		Settings: func() imagepull.Settings { return pu.d.pullSettings.Load().Settings },
		Records:  pu.pullRecords(),
		Pulled: func(context.Context) {
			if now := time.Now(); !registry.Unsynchronized() {
				_ = clock.Advance(now) // a hint for the next start
			}
		},
	}, nil
}

// openPeers makes what asks neighbours for images.
func (pu imagePulls) openPeers(client *registry.Client) *registry.Peers {
	return &registry.Peers{
		Client: client, Addresses: func() []string { return pu.d.pullSettings.Load().peers },
		Refused: func(address string, err error) {
			pu.d.log.Warn("a peer gives what it should not, and is not asked for an hour", "peer", address, "error", err)
			pu.d.garbage().event(corev1.EventTypeWarning, "ImagePeerRefused", "the peer "+address+" gives what it should not, and is not asked for an hour: "+err.Error())
		},
	}
}

func (pu imagePulls) pullRecords() *imagepull.Records {
	return &imagepull.Records{
		File: config.PullRecordsFile(pu.d.config.Root), Damaged: pu.d.damaged,
		Exists: func(id string) bool { _, err := pu.d.images.Get(id); return err == nil },
	}
}

// openGate reads which images may run. A policy that cannot be read lets none.
func (pu imagePulls) openGate() *imagepull.Gate {
	pu.d.imageRules.Store(&pu.d.config.ImagesConfig)
	gate := &imagepull.Gate{Store: pu.d.images, Load: func() (*imagepull.Rules, error) { return pu.d.imageRules.Load().Rules() }}
	pu.readPolicy(gate)
	return gate
}

// readPolicy reads the policy of images anew, and says what is wrong with it.
func (pu imagePulls) readPolicy(gate *imagepull.Gate) {
	if err := gate.Reload(); err != nil {
		pu.d.log.Error("no image may run", "error", err)
		pu.d.garbage().event(corev1.EventTypeWarning, "ImagePolicyRefused", err.Error()+": no image may run before this is mended")
	}
}

// policyChanged takes over another policy of images.
func (pu imagePulls) policyChanged() {
	pu.readPolicy(pu.d.puller.Gate)
	pu.d.runtime.PolicyChanged()
}

// pullSettings are those of pulls, for the goroutines that pull.
type pullSettings struct {
	imagepull.Settings
	rate  int64
	peers []string
}

func (pu imagePulls) keepPullSettings() {
	settings := pu.d.config.Pulls()
	settings.PeerTags = pu.d.config.ImagePeersResolveTags
	pu.d.pullSettings.Store(&pullSettings{settings, pu.d.config.ImagePullBytesPerSecond.Value(), pu.d.config.ImagePeers})
}
