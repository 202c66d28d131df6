package annotation

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podd's own annotations of pods.
const (
	// RollbackKey, "true", puts a changed pod that does not become Ready back to its last version that was.
	RollbackKey = "podd.dev/rollback"
	// ProgressDeadlineKey is how many seconds a changed pod has to become Ready.
	ProgressDeadlineKey = "podd.dev/progress-deadline"
	// MinReadyKey is for how many seconds a changed pod must stay Ready to count as a good version.
	MinReadyKey = "podd.dev/min-ready-seconds"
)

const (
	progressDefault = 600 * time.Second // that of a Deployment
	// minReadyDefault: a container without a readiness probe is ready while it runs, if only for a moment.
	minReadyDefault = 10 * time.Second
)

// WantsRollback says whether a pod asks for AnnotationRollback.
func WantsRollback(p *corev1.Pod) bool { return p.Annotations[RollbackKey] == "true" }

// ProgressDeadline is how long a changed pod or workload has to become Ready, by its annotations.
func ProgressDeadline(annotations map[string]string) time.Duration {
	return seconds(annotations[ProgressDeadlineKey], progressDefault)
}

// MinReady is how long a pod or workload must stay Ready to count as good.
func MinReady(annotations map[string]string) time.Duration {
	return seconds(annotations[MinReadyKey], minReadyDefault)
}

func seconds(text string, otherwise time.Duration) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return otherwise
}

// ValidateRollback judges the annotations of a rollback.
func ValidateRollback(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if v, ok := annotations[RollbackKey]; ok && v != "true" && v != "false" {
		errs = append(errs, field.NotSupported(path.Key(RollbackKey), v, []string{"true", "false"}))
	}
	for _, name := range []string{ProgressDeadlineKey, MinReadyKey} {
		if v, ok := annotations[name]; ok {
			if n, err := strconv.Atoi(v); err != nil || n <= 0 {
				errs = append(errs, field.Invalid(path.Key(name), v, "must be a number of seconds greater than 0"))
			}
		}
	}
	return errs
}
