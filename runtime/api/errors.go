package api

import (
	"errors"
	"fmt"
	"net/http"

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

// methodNotAllowed is an answer with code 405 and this message.
// unsupportedMedia refuses a form of patch.
func unsupportedMedia(kind string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: application/strategic-merge-patch+json, application/merge-patch+json; it is %q", kind),
	}}
}

func methodNotAllowed(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusMethodNotAllowed,
		Reason:  metav1.StatusReasonMethodNotAllowed,
		Message: message,
	}}
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
