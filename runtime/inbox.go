package runtime

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/prober"
)

// message is what others tell the loop. All but outcomes are hints: losing one costs nothing but time.
type message any

type (
	// msgManifests: the folder may have changed.
	msgManifests struct{}
	// msgScanned: the folder was looked at.
	msgScanned struct{ set manifest.Set }
	// msgRescan: look at the folder, and say when that is taken in.
	msgRescan struct{ done chan struct{} }
	// msgImages: the set of images may have changed.
	msgImages struct{}
	msgPolicy struct{} // of which images may run
	// msgImporting: archives of images are being read, or have been.
	msgImporting struct{ now bool }
	// msgPulled: a pull has come out.
	msgPulled struct {
		pod    *lifecycle.Pod
		target lifecycle.PullTarget
		pull   *lifecycle.Pull
		out    lifecycle.Pulled
	}
	// msgExit: a container's process may have ended.
	msgExit struct {
		uid  types.UID
		name string
	}
	// msgOutcome: an action of a pod's operation is done.
	msgOutcome struct {
		pod     *lifecycle.Pod
		outcome executor.Outcome
	}
	// msgHook: a hook has ended.
	msgHook struct{ prober.HookEnded }
	// msgProbe: a probe has news.
	msgProbe struct{ prober.News }
	// msgKept: the end of a pod is on disk, or cannot be kept.
	msgKept struct{ pod *lifecycle.Pod }
	// msgIdle: a pod's operation is over.
	msgIdle struct{ pod *lifecycle.Pod }
	// msgCall: run something between two decisions.
	msgCall struct {
		fn   func()
		done chan struct{}
	}
	// msgBeat: somebody wants to see that the loop comes round.
	msgBeat struct{ done chan struct{} }
	// msgMoved: the machine's addresses may have changed.
	msgMoved struct{}
	// msgForwarded: the kernel has the table of Services of this number, or cannot be given it.
	msgForwarded struct{ table uint64 }
	// msgClock: the clock was set.
	msgClock struct{}
	// msgCgroup: a cgroup below a pod's may have been removed.
	msgCgroup struct{ path string }
	// msgSuspect: an error may come from a disk that is full or cannot be written.
	msgSuspect struct{ err error }
	// msgStorage: the folders that podd writes to were tried; the problems by what they concern, nil where all is well.
	msgStorage struct{ problems map[string]error }
	// msgTouch: somebody worked.
	msgTouch struct{}
	// msgResolver: the host's resolv.conf may have changed.
	msgResolver struct{}
	// msgSettings: these are the settings from now on.
	msgSettings struct{ settings Settings }
	// msgStopAll: end every pod and then the loop.
	msgStopAll struct{}
)

// inbox is an unbounded queue: whoever brings a message never waits for the loop.
type inbox struct {
	mu    sync.Mutex
	queue []message
	ring  chan struct{} // holds one token while the queue is not empty
}

func newInbox() *inbox { return &inbox{ring: make(chan struct{}, 1)} }

func (b *inbox) put(m message) {
	b.mu.Lock()
	b.queue = append(b.queue, m)
	b.mu.Unlock()
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.queue
	b.queue = nil
	return list
}
