package config

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"podd/board"
	"podd/images/distribution"
)

// SharingConfig is the part of the configuration that is about images and other machines.
type SharingConfig struct {
	ImageServe ImageServeConfig `json:"imageServe"`
}

// ImageServeConfig says where the images of the store are given to other machines.
type ImageServeConfig struct {
	Address        string            `json:"address"`        // 10.0.0.5:5000; "": nowhere
	Private        bool              `json:"private"`        // images too that a registry gave for credentials alone
	BytesPerSecond resource.Quantity `json:"bytesPerSecond"` // of all layers together; 0: as many as go
}

func defaultSharing() SharingConfig {
	return SharingConfig{ImageServe: ImageServeConfig{BytesPerSecond: resource.MustParse("0")}}
}

func (c *ImageServeConfig) check() error {
	if c.BytesPerSecond.Sign() < 0 {
		return errors.New("imageServe.bytesPerSecond must not be negative")
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
