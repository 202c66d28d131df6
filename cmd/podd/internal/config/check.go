package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/sysctl"
	"podd/runtime/podsecurity"
)

const (
	maxInterfaceName = 15       // IFNAMSIZ less the final zero
	minPrefixBits    = 29       // network, gateway, broadcast, and five pods
	minLogSize       = 64 << 10 // four lines of the longest kind
	maxSocketPath    = 107      // sun_path less the final zero, man 7 unix
)

// check refuses what cannot work, naming the key.
func (c *Config) check() error {
	switch {
	case !c.PodCIDR.IsValid() || !c.PodCIDR.Addr().Is4():
		return fmt.Errorf("podCIDR must be an IPv4 network such as 10.210.0.0/22")
	case c.Bridge == "" || len(c.Bridge) > maxInterfaceName || strings.ContainsAny(c.Bridge, "/: \t"):
		return fmt.Errorf("bridge %q cannot be the name of a network interface: 1 to %d characters without blank, slash or colon", c.Bridge, maxInterfaceName)
	case len(ReadSocket(c.Socket))+len(".new") > maxSocketPath:
		return fmt.Errorf("socket %q is longer than the %d bytes that a socket's path may have", c.Socket, maxSocketPath-len("-read")-len(".new"))
	case c.ContainerLogMaxFiles < 2:
		return fmt.Errorf("containerLogMaxFiles must be at least 2, not %d", c.ContainerLogMaxFiles)
	case c.ContainerLogMaxSize.Value() < minLogSize:
		return fmt.Errorf("containerLogMaxSize must be at least 64Ki")
	case c.PodPidsLimit != -1 && c.PodPidsLimit <= 0:
		return fmt.Errorf("podPidsLimit must be positive, or -1 for no limit, not %d", c.PodPidsLimit)
	case c.ShutdownGracePeriod.Duration < 0:
		return fmt.Errorf("shutdownGracePeriod must not be negative")
	}
	if why := validation.IsDNS1123Subdomain(c.NodeName); len(why) > 0 {
		return fmt.Errorf("nodeName %q cannot be used (set it with --node-name): %s", c.NodeName, why[0])
	}
	if err := c.CrashLoopBackOff.check(); err != nil {
		return err
	}
	if err := c.checkLabels(); err != nil {
		return err
	}
	if _, err := c.Rlimits(); err != nil {
		return fmt.Errorf("defaultRlimits: %w", err)
	}
	for _, pattern := range c.AllowedUnsafeSysctls {
		if err := sysctl.CheckPattern(pattern); err != nil {
			return fmt.Errorf("allowedUnsafeSysctls: %w", err)
		}
	}
	for _, dir := range c.CDISpecDirs {
		if !filepath.IsAbs(dir) {
			return fmt.Errorf("cdiSpecDirs: %q must begin with /", dir)
		}
	}
	if err := c.RuntimeHandlers.Check(); err != nil {
		return fmt.Errorf("runtimeHandlers: %w", err)
	}
	for i := range c.Devices {
		if err := c.Devices[i].Check(qualifiedName); err != nil {
			return fmt.Errorf("devices[%d]: %w", i, err)
		}
	}
	if !slices.Contains(annotation.LogDrivers(), c.ContainerLogDriver) {
		return fmt.Errorf("containerLogDriver must be file or journald, not %q", c.ContainerLogDriver)
	}
	if c.UnenforcedSELinux != "ignore" && c.UnenforcedSELinux != "refuse" {
		return fmt.Errorf("unenforcedSELinux must be ignore or refuse, not %q", c.UnenforcedSELinux)
	}
	if c.UnknownKinds != "accept" && c.UnknownKinds != "refuse" {
		return fmt.Errorf("unknownKinds must be accept or refuse, not %q", c.UnknownKinds)
	}
	if err := podsecurity.Check(c.PodSecurity); err != nil {
		return fmt.Errorf("podSecurity: %w", err)
	}
	if err := c.ImagesConfig.check(); err != nil {
		return err
	}
	if err := c.NetworkConfig.check(); err != nil {
		return err
	}
	if err := c.checkNetworks(); err != nil {
		return err
	}
	if err := c.NamesConfig.check(); err != nil {
		return err
	}
	if err := c.checkShutdown(); err != nil {
		return err
	}
	if err := c.SocketConfig.check(); err != nil {
		return err
	}
	if err := c.PullConfig.check(); err != nil {
		return err
	}
	if err := c.SharingConfig.check(); err != nil {
		return err
	}
	if err := c.UserNamespaces.check(); err != nil {
		return err
	}
	return c.Logging.check()
}

func qualifiedName(name string) error {
	if why := validation.IsQualifiedName(name); len(why) > 0 {
		return errors.New(why[0])
	}
	return nil
}
