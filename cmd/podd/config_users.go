package main

import (
	"fmt"
	"path/filepath"

	"podd/userns"
)

// UsersConfig is the machine's ids that pods with hostUsers: false get.
type UsersConfig struct {
	// A kubelet finds these two in /etc/subuid.
	Base uint64 `yaml:"base"`
	Size uint64 `yaml:"size"`
}

func defaultUsers() UsersConfig {
	return UsersConfig{Base: userns.DefaultBase, Size: userns.DefaultSize}
}

func (c *UsersConfig) check() error {
	if err := userns.CheckSpan(c.Base, c.Size); err != nil {
		return fmt.Errorf("userNamespaces.base and userNamespaces.size cannot be used: %w", err)
	}
	return nil
}

func (c *Config) users() *userns.Leases {
	return userns.NewLeases(filepath.Join(c.RunDir, "users"), c.UserNamespaces.Base, c.UserNamespaces.Size)
}
