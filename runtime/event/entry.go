package event

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// component is the name under which podd reports.
const component = "podd"

// entry is an event without the fields that all of ours have in common; as JSON it
// is one line of the file.
type entry struct {
	RV       uint64                 `json:"rv"`
	Name     string                 `json:"name"`
	Ref      corev1.ObjectReference `json:"ref"`
	Type     string                 `json:"type"`
	Reason   string                 `json:"reason"`
	Message  string                 `json:"message"`
	First    time.Time              `json:"first"`
	Last     time.Time              `json:"last"`
	Count    int32                  `json:"count"`
	Combined bool                   `json:"combined,omitempty"`
}

// namespace of the event is that of its object; one without has its events in
// the default one, as in client-go.
func (e *entry) namespace() string {
	if e.Ref.Namespace == "" {
		return metav1.NamespaceDefault
	}
	return e.Ref.Namespace
}

// event is the entry as the API shows it.
func (e *entry) event(node string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name:              e.Name,
			Namespace:         e.namespace(),
			UID:               uid(e.namespace(), e.Name),
			ResourceVersion:   strconv.FormatUint(e.RV, 10),
			CreationTimestamp: metav1.NewTime(e.First),
		},
		InvolvedObject:      e.Ref,
		Type:                e.Type,
		Reason:              e.Reason,
		Message:             e.Message,
		Source:              corev1.EventSource{Component: component, Host: node},
		FirstTimestamp:      metav1.NewTime(e.First),
		LastTimestamp:       metav1.NewTime(e.Last),
		Count:               e.Count,
		ReportingController: component,
		ReportingInstance:   node,
	}
}

// uid makes a UUID of version 8 (RFC 9562) from the event's name, which is unique.
func uid(namespace, name string) types.UID {
	sum := sha256.Sum256([]byte("event/" + namespace + "/" + name))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// maxName is the API's limit on the name of an object.
const maxName = 253

// name is the kubelet's: that of the object and the time in hexadecimal digits.
func name(object string, nanos int64) string {
	suffix := "." + strconv.FormatUint(uint64(nanos), 16)
	return object[:min(len(object), maxName-len(suffix))] + suffix
}

// nanos is the time in a name, 0 if there is none.
func nanos(name string) int64 {
	n, err := strconv.ParseInt(name[strings.LastIndexByte(name, '.')+1:], 16, 64)
	if err != nil {
		return 0
	}
	return n
}
