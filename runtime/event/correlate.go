package event

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// client-go's numbers: the tenth different message of one object, type and reason
// within ten minutes of the one before is combined with those that follow.
const (
	similarMax      = 10
	similarInterval = 10 * time.Minute
	combinedPrefix  = "(combined from similar events): "
)

// group is what similar events have in common.
type group struct {
	kind, namespace, name, apiVersion string
	uid                               types.UID
	typ, reason                       string
}

// key is what equal events have in common; combined ones are all equal.
type key struct {
	group
	fieldPath, message string
	combined           bool
}

func (e *entry) group() group {
	return group{e.Ref.Kind, e.Ref.Namespace, e.Ref.Name, e.Ref.APIVersion, e.Ref.UID, e.Type, e.Reason}
}

func (e *entry) key() key {
	if e.Combined {
		return key{group: e.group(), combined: true}
	}
	return key{group: e.group(), fieldPath: e.Ref.FieldPath, message: e.Message}
}

// similar is the messages of a group of late.
type similar struct {
	messages []string
	last     time.Time
}

// correlator finds out which events are similar to others.
type correlator struct {
	groups map[group]*similar
	max    int
}

// combine says whether an event is one too many of its group. The wall clock may
// jump; a leap backwards ends the interval too.
func (c *correlator) combine(now time.Time, g group, message string) bool {
	s := c.groups[g]
	if s == nil {
		c.makeRoom()
		s = &similar{}
		c.groups[g] = s
	}
	if age := now.Sub(s.last); age > similarInterval || age < -similarInterval {
		s.messages = s.messages[:0]
	}
	s.last = now
	if slices.Contains(s.messages, message) {
		return false
	}
	if len(s.messages) < similarMax-1 {
		s.messages = append(s.messages, message)
		return false
	}
	return true
}

// makeRoom forgets the group that was quiet for longest.
func (c *correlator) makeRoom() {
	if len(c.groups) < c.max {
		return
	}
	var oldest group
	var at time.Time
	for g, s := range c.groups {
		if at.IsZero() || s.last.Before(at) {
			oldest, at = g, s.last
		}
	}
	delete(c.groups, oldest)
}

// reference keeps of an object what identifies it: its version would make equal
// events different.
func reference(ref corev1.ObjectReference) corev1.ObjectReference {
	ref.ResourceVersion = ""
	return ref
}
