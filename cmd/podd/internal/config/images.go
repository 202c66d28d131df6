package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/images/gc"
	"podd/images/trust"
	"podd/runtime/imagepull"
	"podd/runtime/manifest/decode"
)

// ImagesConfig is the part of the configuration that says which images go and which may run, at the top level of the file.
// The first four are the kubelet's.
type ImagesConfig struct {
	ImageGCHighThresholdPercent int             `json:"imageGCHighThresholdPercent"`
	ImageGCLowThresholdPercent  int             `json:"imageGCLowThresholdPercent"`
	ImageMinimumGCAge           metav1.Duration `json:"imageMinimumGCAge"`
	ImageMaximumGCAge           metav1.Duration `json:"imageMaximumGCAge"` // 0: none goes for its age

	ImagePolicy          string `json:"imagePolicy"`          // policy.json of containers; "": every image may run
	ImageSignatureStores string `json:"imageSignatureStores"` // registries.d of containers
	ImageVerifiers       string `json:"imageVerifiers"`       // folder of programs that must accept each image; "": there are none
}

func defaultImages() ImagesConfig {
	return ImagesConfig{
		ImageGCHighThresholdPercent: 85, ImageGCLowThresholdPercent: 80, ImageMinimumGCAge: metav1.Duration{Duration: 2 * time.Minute},
		ImageSignatureStores: "/etc/containers/registries.d",
	}
}

// Collection is when images go.
func (c *ImagesConfig) Collection() gc.Settings {
	return gc.Settings{
		High: c.ImageGCHighThresholdPercent, Low: c.ImageGCLowThresholdPercent,
		MinAge: c.ImageMinimumGCAge.Duration, MaxAge: c.ImageMaximumGCAge.Duration,
	}
}

func (c *ImagesConfig) check() error {
	for key, path := range map[string]string{
		"imagePolicy": c.ImagePolicy, "imageSignatureStores": c.ImageSignatureStores, "imageVerifiers": c.ImageVerifiers,
	} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("%s must be an absolute path, not %q", key, path)
		}
	}
	return c.Collection().Check()
}

// Rules reads which images may run.
func (c *ImagesConfig) Rules() (*imagepull.Rules, error) {
	r := &imagepull.Rules{Verifiers: trust.Verifiers{Dir: c.ImageVerifiers}}
	if c.ImagePolicy == "" {
		return r, nil
	}
	data, err := os.ReadFile(c.ImagePolicy)
	if err != nil {
		return nil, fmt.Errorf("cannot read imagePolicy: %w", err)
	}
	if r.Policy, err = trust.ParsePolicy(data, os.ReadFile); err != nil {
		return nil, fmt.Errorf("imagePolicy %s: %w", c.ImagePolicy, err)
	}
	if r.Lookasides, err = c.lookasides(); err != nil {
		return nil, fmt.Errorf("imageSignatureStores: %w", err)
	}
	return r, nil
}

// lookasides reads the YAML files of the folder of stores of signatures.
func (c *ImagesConfig) lookasides() (*trust.Lookasides, error) {
	files := map[string][]byte{}
	if c.ImageSignatureStores == "" {
		return trust.ParseLookasides(files)
	}
	entries, err := os.ReadDir(c.ImageSignatureStores)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		path := filepath.Join(c.ImageSignatureStores, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if files[path], err = decode.YAMLToJSON(text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if string(files[path]) == "null" { // comments alone
			delete(files, path)
		}
	}
	return trust.ParseLookasides(files)
}
