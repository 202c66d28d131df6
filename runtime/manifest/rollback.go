package manifest

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podd's own annotations of pods.
const (
	// AnnotationRollback, "true", puts a changed pod that does not become Ready back to its last version that was.
	AnnotationRollback = "podd.dev/rollback"
	// AnnotationProgressDeadline is how many seconds a changed pod has to become Ready.
	AnnotationProgressDeadline = "podd.dev/progress-deadline"
	// AnnotationMinReady is for how many seconds a changed pod must stay Ready to count as a good version.
	AnnotationMinReady = "podd.dev/min-ready-seconds"
)

const (
	progressDefault = 600 * time.Second // that of a Deployment
	// minReadyDefault: a container without a readiness probe is ready while it runs, if only for a moment.
	minReadyDefault = 10 * time.Second
)

// WantsRollback says whether a pod asks for AnnotationRollback.
func WantsRollback(p *corev1.Pod) bool { return p.Annotations[AnnotationRollback] == "true" }

// ProgressDeadline is how long a changed pod has to become Ready.
func ProgressDeadline(p *corev1.Pod) time.Duration {
	return seconds(p.Annotations[AnnotationProgressDeadline], progressDefault)
}

// MinReady is how long a pod must stay Ready to count as good.
func MinReady(p *corev1.Pod) time.Duration {
	return seconds(p.Annotations[AnnotationMinReady], minReadyDefault)
}

func seconds(text string, otherwise time.Duration) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return otherwise
}

func validateRollback(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if v, ok := annotations[AnnotationRollback]; ok && v != "true" && v != "false" {
		errs = append(errs, field.NotSupported(path.Key(AnnotationRollback), v, []string{"true", "false"}))
	}
	for _, name := range []string{AnnotationProgressDeadline, AnnotationMinReady} {
		if v, ok := annotations[name]; ok {
			if n, err := strconv.Atoi(v); err != nil || n <= 0 {
				errs = append(errs, field.Invalid(path.Key(name), v, "must be a number of seconds greater than 0"))
			}
		}
	}
	return errs
}
