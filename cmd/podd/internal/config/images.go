package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/images/gc"
)

// ImagesConfig is the part of the configuration that says which images go and which may run, at the top level of the file.
// The first four are the kubelet's.
type ImagesConfig struct {
	ImageGCHighThresholdPercent int             `json:"imageGCHighThresholdPercent"`
	ImageGCLowThresholdPercent  int             `json:"imageGCLowThresholdPercent"`
	ImageMinimumGCAge           metav1.Duration `json:"imageMinimumGCAge"`
	ImageMaximumGCAge           metav1.Duration `json:"imageMaximumGCAge"` // 0: none goes for its age
}

func defaultImages() ImagesConfig {
	return ImagesConfig{ImageGCHighThresholdPercent: 85, ImageGCLowThresholdPercent: 80, ImageMinimumGCAge: metav1.Duration{Duration: 2 * time.Minute}}
}

// Collection is when images go.
func (c *ImagesConfig) Collection() gc.Settings {
	return gc.Settings{
		High: c.ImageGCHighThresholdPercent, Low: c.ImageGCLowThresholdPercent,
		MinAge: c.ImageMinimumGCAge.Duration, MaxAge: c.ImageMaximumGCAge.Duration,
	}
}

func (c *ImagesConfig) check() error { return c.Collection().Check() }
