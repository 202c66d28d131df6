package config

import (
	"fmt"

	"podd/runtime/sandbox/userns"
)

// UsersConfig is which pods get ids of their own, and which of the machine's these are. A kubelet finds base and size in
// /etc/subuid.
type UsersConfig struct {
	// Mode is manual, for pods with hostUsers: false, or auto, also for those that do not say and do nothing against it.
	Mode      string `json:"mode"`
	Base      uint64 `json:"base"`
	Size      uint64 `json:"size"`
	IDsPerPod uint64 `json:"idsPerPod"`
}

func defaultUsers() UsersConfig {
	s := userns.Default()
	return UsersConfig{Mode: "auto", Base: s.Base, Size: s.Size, IDsPerPod: s.PerPod}
}

// Span is the same in the words of those who lend the ids.
func (c *UsersConfig) Span() userns.Span {
	return userns.Span{Base: c.Base, Size: c.Size, PerPod: c.IDsPerPod}
}

// Auto says that pods get ids of their own without asking.
func (c *UsersConfig) Auto() bool { return c.Mode == "auto" }

func (c *UsersConfig) check() error {
	if c.Mode != "manual" && c.Mode != "auto" {
		return fmt.Errorf("userNamespaces.mode must be manual or auto, not %q", c.Mode)
	}
	if err := c.Span().Check(); err != nil {
		return fmt.Errorf("userNamespaces cannot be base: %d, size: %d, idsPerPod: %d: %w", c.Base, c.Size, c.IDsPerPod, err)
	}
	return nil
}
