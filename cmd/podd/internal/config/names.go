package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// NamesConfig is the part of the configuration that is about names, at the top level of the file. Its keys are
// those of KubeletConfiguration.
type NamesConfig struct {
	ClusterDomain string `json:"clusterDomain"` // of the Services' names
	ResolvConf    string `json:"resolvConf"`    // "": the host's, past the stub of systemd-resolved
}

func defaultNames() NamesConfig { return NamesConfig{ClusterDomain: "cluster.local"} }

func (c *NamesConfig) check() error {
	if problems := validation.IsDNS1123Subdomain(c.ClusterDomain); len(problems) > 0 {
		return fmt.Errorf("clusterDomain %q cannot be used: %s", c.ClusterDomain, strings.Join(problems, "; "))
	}
	if c.ResolvConf != "" && !strings.HasPrefix(c.ResolvConf, "/") {
		return fmt.Errorf("resolvConf must be an absolute path, not %q", c.ResolvConf)
	}
	return nil
}

// ResolvConfFile is the host's list of name servers. Where systemd-resolved has put itself in front, its stub on the
// loopback is out of a pod's reach, and the list behind it counts.
func (c *NamesConfig) ResolvConfFile() string {
	const behindStub = "/run/systemd/resolve/resolv.conf"
	if c.ResolvConf != "" {
		return c.ResolvConf
	}
	if target, err := os.Readlink("/etc/resolv.conf"); err == nil && filepath.Base(target) == "stub-resolv.conf" {
		if _, err := os.Stat(behindStub); err == nil {
			return behindStub
		}
	}
	return "/etc/resolv.conf"
}
