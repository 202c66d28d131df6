package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"podd/runtime/api/hub"
)

// ErrInUse is returned by Listen when another server answers on the socket.
var ErrInUse = errors.New("another podd serves on this socket")

// NotFound is the API server's answer for an absent object: `pods "x" not found`.
func NotFound(resource, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name)
}

// BadRequest is an answer with code 400 and this message.
func BadRequest(message string) error {
	return apierrors.NewBadRequest(message)
}

// Modified is the API server's answer to who sets something of an object that is not as it was when he looked.
func Modified(o WorkloadName) error {
	return apierrors.NewConflict(o.resource(), o.Name, errors.New("the object has been modified; please apply your changes to the latest version and try again"))
}

// NoWorkload is the API server's answer for a workload that is not there.
func NoWorkload(o WorkloadName) error { return apierrors.NewNotFound(o.resource(), o.Name) }

// AsNotFound makes err, with its sentence, an answer with code 404.
func AsNotFound(err error) error {
	return &refusal{err, http.StatusNotFound, metav1.StatusReasonNotFound}
}

// AsConflict makes err, with its sentence, an answer with code 409: the present state of things forbids it.
func AsConflict(err error) error {
	return &refusal{err, http.StatusConflict, metav1.StatusReasonConflict}
}

// AsBadRequest makes err, with its sentence, an answer with code 400.
func AsBadRequest(err error) error {
	return &refusal{err, http.StatusBadRequest, metav1.StatusReasonBadRequest}
}

// AsInvalid makes err, with its sentence, an answer with code 422.
func AsInvalid(err error) error {
	return &refusal{err, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid}
}

// AsForbidden makes err, with its sentence, an answer with code 403.
func AsForbidden(err error) error {
	return &refusal{err, http.StatusForbidden, metav1.StatusReasonForbidden}
}

// refusal is an error of a backend with what the client gets for it.
type refusal struct {
	error
	code   int32
	reason metav1.StatusReason
}

func (r *refusal) Unwrap() error { return r.error }

// Status makes a refusal an apierrors.APIStatus.
func (r *refusal) Status() metav1.Status {
	return metav1.Status{Status: metav1.StatusFailure, Code: r.code, Reason: r.reason, Message: r.Error()}
}

// unsupportedMedia refuses a form of patch.
func unsupportedMedia(kind string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: application/strategic-merge-patch+json, application/merge-patch+json; it is %q", kind),
	}}
}

// forbidden is an answer with code 403 and this message.
func forbidden(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: message,
	}}
}

// methodNotAllowed is an answer with code 405 and this message.
func methodNotAllowed(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusMethodNotAllowed,
		Reason:  metav1.StatusReasonMethodNotAllowed,
		Message: message,
	}}
}

// refuseWrite says of a request that no path takes what does what it asks for.
func refuseWrite(path string) error {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	core := strings.HasPrefix(path, "/api/v1/")
	switch {
	case strings.HasPrefix(path, "/apis/authorization.k8s.io/"), strings.HasPrefix(path, "/apis/authentication.k8s.io/"):
		return methodNotAllowed("podd has no users: who may open its socket may do all, and who may open the socket of socketReadGroup may read")
	case !core && (len(parts) < 3 || parts[0] != "apis" || len(folderResources(parts[1]+"/"+parts[2])) == 0):
		return &apierrors.StatusError{ErrStatus: unknownPath(path)}
	}
	const depth = 2 // of /api/v1 and what follows it, less one for /apis/GROUP/VERSION
	rest := parts[depth:]
	if !core {
		rest = parts[depth+1:]
	}
	ofNamespace := len(rest) == 3 && (rest[2] == "finalize" || rest[2] == "status")
	if len(rest) > 2 && rest[0] == "namespaces" && !ofNamespace {
		rest = rest[2:]
	}
	resource, subresource := "", ""
	if len(rest) > 0 {
		resource = rest[0]
	}
	if len(rest) > 2 {
		subresource = rest[2]
	}
	if !servesResource(parts, core, resource) {
		return &apierrors.StatusError{ErrStatus: unknownPath(path)}
	}
	for _, w := range []struct{ resource, subresource, answer string }{
		{"pods", "binding", "one board needs no scheduler: pods of the folder are the board's"},
		{"pods", "resize", "podd takes the resources of a pod from its file, and changes them in place: change the file"},
		{"pods", "attach", "podd has no attach: the log, with follow=true, shows what a container writes, and exec runs a command in it"},
		{"pods", "proxy", "podd proxies no HTTP: portforward reaches the ports of a pod"},
		{"services", "proxy", "podd proxies no HTTP: portforward reaches the ports of the pods behind a Service"},
		{"nodes", "proxy", "podd proxies no HTTP to its node"},
		{"serviceaccounts", "token", "podd gives tokens to pods alone: as a projected volume (serviceAccountToken)"},
		{"namespaces", "finalize", "a namespace of podd is there while a file names it"},
		{"*", "status", "the status of an object is podd's own; that of a pod takes conditions as a PATCH"},
		{"events", "", "events are podd's own: they cannot be written"},
		{"nodes", "", "the node is the board that podd runs on: nodeLabels of the configuration sets its labels"},
		{"pods", "", "podd takes its pods from the files of its manifest folder: to change one, change its file"},
		{"*", "", "podd takes its objects from the files of its manifest folder: to change one, change its file"},
	} {
		if (w.resource == resource || w.resource == "*") && w.subresource == subresource {
			return methodNotAllowed(w.answer)
		}
	}
	return &apierrors.StatusError{ErrStatus: unknownPath(path)}
}

// servesResource says whether the group of a path has a resource of this name.
func servesResource(parts []string, core bool, resource string) bool {
	version := "v1"
	if !core {
		version = parts[1] + "/" + parts[2]
	}
	if core && slices.Contains([]string{"pods", "nodes", "events", "namespaces"}, resource) {
		return true
	}
	return slices.ContainsFunc(folderResources(version), func(r metav1.APIResource) bool { return r.Name == resource })
}

// statusOf turns any error into what the client gets.
func statusOf(err error) metav1.Status {
	if s := apierrors.APIStatus(nil); errors.As(err, &s) {
		return s.Status()
	}
	if errors.Is(err, hub.ErrTooOld) {
		return apierrors.NewResourceExpired(err.Error()).Status()
	}
	return apierrors.NewInternalError(err).Status()
}
