package runtime

import (
	"time"

	"podd/runtime/container/rlimit"
	"podd/runtime/podsecurity"
)

// Settings are the part of Config that may change while pods run.
type Settings struct {
	LogMaxSize   int64 // bytes of one log file
	LogMaxFiles  int
	PodPidsLimit int64
	StopGrace    time.Duration // the longest grace when the board stops; 0: each pod's own
	// LongestBackoff is what a container that crashes waits at most; 0: Kubernetes' five minutes.
	LongestBackoff time.Duration
	// Rlimits are those of containers that start later.
	Rlimits []rlimit.Limit
	// AllowedUnsafeSysctls are names and prefixes (kernel.msg*) of sysctls that pods may set beside the safe ones.
	AllowedUnsafeSysctls []string
	// AutoUsers gives pods that start later and do not say hostUsers ids of their own, where that goes.
	AutoUsers bool
	// SeccompDefault confines containers that start later and whose pods name no seccomp profile by the runtime's.
	SeccompDefault bool
	// PodSecurity is what pods may ask for that are made later.
	PodSecurity podsecurity.Settings
	// Labels of the node, beside those that every node has. A pod that runs stays; one that waits is asked again.
	Labels map[string]string
}
