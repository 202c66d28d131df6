package daemon

import (
	"path/filepath"

	"podd/cmd/podd/internal/config"
	"podd/internal/atomicfile"
	"podd/runtime/sandbox/mcs"
	"podd/runtime/sandbox/userns"
)

// usersOf lends ids of the machine to pods with hostUsers: false.
func usersOf(c *config.Config, damaged atomicfile.Report) *userns.Leases {
	return userns.NewLeases(filepath.Join(c.RunDir, "users"), c.UserNamespaces.Span(), damaged)
}

// levelsOf lends SELinux levels to pods.
func levelsOf(c *config.Config, damaged atomicfile.Report) *mcs.Leases {
	return mcs.NewLeases(filepath.Join(c.RunDir, "levels"), damaged)
}
