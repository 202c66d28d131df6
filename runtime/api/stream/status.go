package stream

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
)

// Status is what goes over the error channel at the end of a command; an exit code other than 0 is
// a failure whose cause ExitCode has the number.
func Status(code int) *metav1.Status {
	if code == 0 {
		return &metav1.Status{Status: metav1.StatusSuccess}
	}
	return &metav1.Status{
		Status:  metav1.StatusFailure,
		Reason:  remotecommand.NonZeroExitCodeReason,
		Message: fmt.Sprintf("command terminated with non-zero exit code: %d", code),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{
			Type:    remotecommand.ExitCodeCauseType,
			Message: strconv.Itoa(code),
		}}},
	}
}

// ExitCode reads such a status: the exit code, and whether the command ran at all.
func ExitCode(s *metav1.Status) (code int, ran bool) {
	if s.Status == metav1.StatusSuccess {
		return 0, true
	}
	if s.Reason != remotecommand.NonZeroExitCodeReason || s.Details == nil {
		return 0, false
	}
	for _, c := range s.Details.Causes {
		if c.Type == remotecommand.ExitCodeCauseType {
			code, err := strconv.Atoi(c.Message)
			return code, err == nil
		}
	}
	return 0, false
}
