package runtime

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/node"
	"podd/runtime/state"
)

// troubles are what is wrong with the machine's network at the moment, by what it concerns.
type troubles struct {
	mu   sync.Mutex
	list map[string]string
}

// set remembers a sentence, or with "" that all is well again, and says whether that is news.
func (t *troubles) set(what, sentence string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list[what] == sentence {
		return false
	}
	if t.list == nil {
		t.list = map[string]string{}
	}
	t.list[what] = sentence
	if sentence == "" {
		delete(t.list, what)
	}
	return true
}

// text is all of it.
func (t *troubles) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, what := range slices.Sorted(maps.Keys(t.list)) {
		all = append(all, t.list[what])
	}
	return strings.Join(all, "; ")
}

// NetworkTrouble says what is wrong with a part of the machine's network, or with nil that it is right again: in the log,
// in an event of the node, and in the node's conditions while it lasts. Any goroutine may call it.
func (r *Runtime) NetworkTrouble(what string, err error) {
	sentence := ""
	if err != nil {
		sentence = what + ": " + err.Error()
	}
	switch {
	case !r.troubles.set(what, sentence):
	case err != nil:
		r.Log.Error("the network is not as it should be", "what", what, "error", err)
		r.Events.Record(time.Now(), r.nodeReference(), corev1.EventTypeWarning, "NetworkNotReady", sentence)
	default:
		r.Log.Info("the network is as it should be again", "what", what)
	}
}

func (r *Runtime) nodeReference() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Namespace: corev1.NamespaceDefault, Name: r.NodeName, UID: node.UID}
}

// networkCondition is there while something is wrong with the network.
func (b *Backend) networkCondition(now state.Instant, since metav1.Time) []corev1.NodeCondition {
	text := b.troubles.text()
	if text == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: api.NetworkReady, Status: corev1.ConditionFalse, Reason: "NetworkNotReady", Message: text,
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: since,
	}}
}
