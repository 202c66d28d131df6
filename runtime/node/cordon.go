package node

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/atomicfile"
)

// Cordon is what is kept of a board that takes no new pods of controllers: it is one until somebody uncordons it, or until the
// next boot.
type Cordon struct {
	Unschedulable bool      `json:"unschedulable"`
	Since         time.Time `json:"since"`
	// UntilBoot is the ID of the boot that the cordon ends with; "": it outlives boots.
	UntilBoot string `json:"untilBoot,omitempty"`
}

// Over says whether the cordon has ended with the boot for which it was made.
func (c Cordon) Over(bootID string) bool {
	return c.UntilBoot != "" && bootID != "" && c.UntilBoot != bootID
}

// annotationUntilBoot says of a cordoned node that it is uncordoned by its next boot: podd reboot has cordoned it.
const annotationUntilBoot = "podd.dev/uncordon-after-boot"

// ReadCordon reads it; fs.ErrNotExist: the board was never cordoned.
func ReadCordon(path string) (c Cordon, err error) {
	err = atomicfile.LoadJSON(path, &c, func() error {
		if c.Unschedulable && c.Since.IsZero() {
			return errors.New("it does not say since when")
		}
		return nil
	})
	if err != nil {
		return Cordon{}, err
	}
	return c, nil
}

// Unschedulable is the taint of a cordoned node.
func Unschedulable() corev1.Taint {
	return corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
}

// Show puts it into a node.
func (c Cordon) Show(n *corev1.Node) {
	if !c.Unschedulable {
		return
	}
	if c.UntilBoot != "" {
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, annotationUntilBoot, "true")
	}
	spec := &n.Spec
	taint, at := Unschedulable(), metav1.NewTime(c.Since)
	taint.TimeAdded = &at
	spec.Unschedulable, spec.Taints = true, append(spec.Taints, taint)
}
