package daemon

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"podd/images/distribution"
	"podd/runtime/imagepull"
)

// serveImages gives the images of the store to other machines until ctx ends, if the configuration says so.
func (pu imagePulls) serveImages(ctx context.Context) {
	c := &pu.d.config.ImageServe
	if c.Address == "" {
		return
	}
	server := &distribution.Server{Store: pu.d.images, Log: pu.d.log}
	if rate := c.BytesPerSecond.Value(); rate > 0 {
		server.Rate = func() int64 { return rate }
	}
	if !c.Private {
		server.Allow = func() distribution.Allow {
			return imagepull.Allow(pu.d.images, pu.d.puller.Records, pu.d.pullSettings.Load().Verification)
		}
	}
	l, err := distribution.Listen(ctx, c.Address)
	if err == nil {
		l, err = distribution.Secure(l, c.KeyPair(), pu.d.log)
	}
	if err == nil {
		pu.d.log.Info("images are given to other machines", "address", c.Address, "private", c.Private)
		err = server.Serve(ctx, l)
	}
	if err != nil {
		pu.d.log.Error("images are not given to other machines", "address", c.Address, "error", err)
		pu.d.garbage().event(corev1.EventTypeWarning, "ImageServeFailed", "images are not given to other machines: "+err.Error()+": correct imageServe and restart podd")
	}
}
