package config

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"podd/board"
	"podd/images/distribution"
	"podd/images/registry"
)

// SharingConfig is the part of the configuration that is about images and other machines.
type SharingConfig struct {
	// ImagePeers are addresses of boards with podd that are asked for images before registries are: http://10.0.0.5:5000.
	ImagePeers []string `json:"imagePeers"`
	// ImagePeersResolveTags: where a registry does not answer, peers may say what a tag stands for.
	ImagePeersResolveTags bool `json:"imagePeersResolveTags"`

	ImageServe ImageServeConfig `json:"imageServe"`
}

// ImageServeConfig says where the images of the store are given to other machines.
type ImageServeConfig struct {
	Address string `json:"address"` // 10.0.0.5:5000; "": nowhere
	Private bool   `json:"private"` // images too that a registry gave for credentials alone
	// TLSCertFile and TLSPrivateKeyFile are in PEM, and read again when they change; "": plain HTTP.
	TLSCertFile       string `json:"tlsCertFile"`
	TLSPrivateKeyFile string `json:"tlsPrivateKeyFile"`

	BytesPerSecond resource.Quantity `json:"bytesPerSecond"` // of all layers together; 0: as many as go
}

func defaultSharing() SharingConfig {
	return SharingConfig{ImagePeers: []string{}, ImageServe: ImageServeConfig{BytesPerSecond: resource.MustParse("0")}}
}

func (c *SharingConfig) check() error {
	for i, address := range c.ImagePeers {
		if err := registry.CheckPeer(address); err != nil {
			return fmt.Errorf("imagePeers[%d] %w", i, err)
		}
	}
	if len(c.ImagePeers) > maxPeers {
		return fmt.Errorf("imagePeers must name at most %d, as all are asked for each image, not %d", maxPeers, len(c.ImagePeers))
	}
	return c.ImageServe.check()
}

const maxPeers = 16

// KeyPair is what is served with.
func (c *ImageServeConfig) KeyPair() distribution.KeyPair {
	return distribution.KeyPair{Cert: c.TLSCertFile, Key: c.TLSPrivateKeyFile}
}

func (c *ImageServeConfig) check() error {
	if c.BytesPerSecond.Sign() < 0 {
		return errors.New("imageServe.bytesPerSecond must not be negative")
	}
	if err := c.KeyPair().Check("imageServe.tlsCertFile", "imageServe.tlsPrivateKeyFile"); err != nil {
		return err
	}
	if c.Address == "" {
		return nil
	}
	if err := distribution.CheckAddress(c.Address); err != nil {
		return fmt.Errorf("imageServe.address %w", err)
	}
	return nil
}

// Findings say who may have this board's images.
func (c *SharingConfig) Findings() []board.Finding {
	s := &c.ImageServe
	if s.Address == "" {
		return nil
	}
	f := board.Finding{Check: "imageServe", Verdict: board.OK, Reason: "images that are public are given to everybody who reaches " + s.Address}
	if s.Private {
		f.Verdict, f.Remedy = board.Warn, "leave out imageServe.private unless the network keeps strangers away"
		f.Reason = "all images, private ones too, are given to everybody who reaches " + s.Address
	}
	return []board.Finding{f}
}
