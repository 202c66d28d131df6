package config

import (
	"fmt"

	"podd/runtime/sandbox/userns"
)

// UsersConfig is the machine's ids that pods with hostUsers: false get. A kubelet finds base and size in /etc/subuid.
type UsersConfig struct {
	Base      uint64 `json:"base"`
	Size      uint64 `json:"size"`
	IDsPerPod uint64 `json:"idsPerPod"`
}

func defaultUsers() UsersConfig {
	s := userns.Default()
	return UsersConfig{Base: s.Base, Size: s.Size, IDsPerPod: s.PerPod}
}

// Span is the same in the words of those who lend the ids.
func (c *UsersConfig) Span() userns.Span {
	return userns.Span{Base: c.Base, Size: c.Size, PerPod: c.IDsPerPod}
}

func (c *UsersConfig) check() error {
	if err := c.Span().Check(); err != nil {
		return fmt.Errorf("userNamespaces cannot be base: %d, size: %d, idsPerPod: %d: %w", c.Base, c.Size, c.IDsPerPod, err)
	}
	return nil
}
