package executor

import (
	"context"
	"net/netip"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/container/process"
	"podd/runtime/container/rlimit"
	"podd/runtime/device"
	"podd/runtime/env"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// Operation is one plan for one pod, with all that it takes to carry it out. It is the executor's once Run has it.
type Operation struct {
	Record  *state.Record // a copy of the loop's
	Actions []plan.Action
	IO      map[string]ContainerIO // of the containers' current attempts, by name
	Inputs  Inputs
}

// ContainerIO is an attempt's pipes, log and process, as the loop and the executor know them: a *stdio.ContainerIO.
type ContainerIO interface {
	// Signal reaches this process and no other that may have got its number.
	Signal(s unix.Signal) error
	// Finish writes what the pipes still hold and lets go of all descriptors.
	Finish() error
	// AdoptProcess finds the process of an attempt that an earlier daemon started; running is false if it is gone.
	AdoptProcess(pid int, startTime uint64) (running bool, err error)
	// WatchExit calls exited once the process is dead; Watched says that it has been called.
	WatchExit(exited func()) error
	Watched() bool
	// Ended says whether the process has ended, and ExitStatus how.
	Ended() bool
	ExitStatus(pid int, startTime uint64) (process.ExitStatus, error)
	// Done is closed when the log is complete.
	Done() <-chan struct{}
	// Attach connects a client until the process has ended or the client goes away; any goroutine may call it.
	Attach(ctx context.Context, a stdio.Attachment) error
}

// Inputs are what the actions of an Operation depend on beside the record. Those that no action needs are empty.
type Inputs struct {
	// ShutDown: the board stops, and its pods are not removed but ended.
	ShutDown    bool
	Sandbox     sandbox.Inputs
	LogMaxSize  int64 // bytes of one log file
	LogMaxFiles int
	Journal     bool // what is in the log goes to the journal, too
	// Devices are those that containers that start were allocated.
	Devices map[string][]device.Given
	Rlimits []rlimit.Limit // of containers that start
	// SeccompDefault confines them by the runtime's seccomp profile if their pod names none.
	SeccompDefault bool
	// NoNewPrivileges keeps them from gaining privileges if their pod does not say.
	NoNewPrivileges bool

	Images      map[string]images.Image // that containers start from, by the container's name
	StopSignals map[string]string       // by the container's name

	Objects      Objects
	Claims       map[string]ClaimFolder  // by the volume's name
	VolumeImages map[string]images.Image // by the volume's name
	Tokens       map[TokenRequest]Token

	ServiceLinks []env.Var // about the Services of the pod's namespace
	HostIPs      []netip.Addr
}

// Objects are the ConfigMaps and Secrets that a pod refers to, by their names. They are not to be changed.
type Objects struct {
	ConfigMaps map[string]*corev1.ConfigMap
	Secrets    map[string]*corev1.Secret
	Locked     map[string]error // why a Secret that is there cannot be read
}

// ConfigMap looks one up; its error is the kubelet's.
func (o Objects) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if found := o.ConfigMaps[name]; found != nil {
		return found, nil
	}
	return nil, env.NotFound("configmap", name)
}

// Secret looks up one whose values can be read.
func (o Objects) Secret(name string) (*corev1.Secret, error) {
	found := o.Secrets[name]
	if found == nil {
		return nil, env.NotFound("secret", name)
	}
	return found, o.Locked[name]
}

// TokenRequest is what a projected volume asks of a ServiceAccount's token.
type TokenRequest struct {
	Audience string
	Seconds  int64 // of its life
}

// TokenRequestOf is the request of one projection.
func TokenRequestOf(t *corev1.ServiceAccountTokenProjection) TokenRequest {
	r := TokenRequest{Audience: t.Audience}
	if t.ExpirationSeconds != nil {
		r.Seconds = *t.ExpirationSeconds
	}
	return r
}

// Token is a signed token, or why there is none.
type Token struct {
	Text string
	Err  error
}
