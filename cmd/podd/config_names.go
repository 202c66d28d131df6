package main

import (
	"fmt"
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
