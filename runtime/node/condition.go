package node

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reference is what an event is about that concerns the node.
func Reference(name string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Namespace: corev1.NamespaceDefault, Name: name, UID: UID}
}

// Condition is a condition of the node that is shown, as False, while something is wrong. Any goroutine may use it.
type Condition struct {
	Type   corev1.NodeConditionType
	Reason string // of the condition, and of the events about what goes wrong

	mu       sync.Mutex
	problems map[string]string // sentences, by what they concern
}

// Set remembers what is wrong with a part of what the condition is about, or with "" that it is right again, and says whether
// that is news.
func (c *Condition) Set(what, problem string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.problems[what] == problem {
		return false
	}
	if c.problems == nil {
		c.problems = map[string]string{}
	}
	c.problems[what] = problem
	if problem == "" {
		delete(c.problems, what)
	}
	return true
}

// Text is all that is wrong; "" if nothing is.
func (c *Condition) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, what := range slices.Sorted(maps.Keys(c.problems)) {
		all = append(all, c.problems[what])
	}
	return strings.Join(all, "; ")
}

// List is the condition as the API shows it; it is empty while nothing is wrong.
func (c *Condition) List(now, since metav1.Time) []corev1.NodeCondition {
	return False(c.Type, c.Reason, c.Text(), now, since)
}

// False is a condition that is shown as False while there is something to say.
func False(typ corev1.NodeConditionType, reason, text string, now, since metav1.Time) []corev1.NodeCondition {
	if text == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: typ, Status: corev1.ConditionFalse, Reason: reason, Message: text, LastHeartbeatTime: now, LastTransitionTime: since,
	}}
}

// Reporter reports what goes wrong with a part of the board: in the log, in events of the node, and in a condition while it
// lasts. Any goroutine may use it.
type Reporter struct {
	Condition *Condition
	Subject   string // of the lines in the log: network
	// MendedReason is that of the event when something is right again, which says that it MendedText; "": there is none.
	MendedReason, MendedText string
	Node                     func() corev1.ObjectReference
	Events                   func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log                      *slog.Logger
}

// Report says what is wrong with what, or with nil that it is right again.
func (r *Reporter) Report(what string, err error) {
	problem := ""
	if err != nil {
		problem = what + ": " + err.Error()
	}
	switch {
	case !r.Condition.Set(what, problem):
	case err != nil:
		r.Log.Error(r.Subject+" check failed", "check", what, "error", err)
		r.Events(time.Now(), r.Node(), corev1.EventTypeWarning, r.Condition.Reason, problem)
	default:
		r.Log.Info(r.Subject+" check passes again", "check", what)
		if r.MendedReason != "" {
			r.Events(time.Now(), r.Node(), corev1.EventTypeNormal, r.MendedReason, what+" "+r.MendedText)
		}
	}
}
