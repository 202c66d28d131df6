package api

import (
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// manifestAccepted is podd's condition of a pod whose file holds something that cannot be run.
const manifestAccepted corev1.PodConditionType = "podd.dev/ManifestAccepted"

// addWarnings tells a client what is wrong with the manifests of the objects that it gets, in the header from
// which kubectl prints its warnings (RFC 7234, code 299).
func addWarnings(w http.ResponseWriter, objs []object) {
	for _, o := range objs {
		p, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		if text := manifestWarning(p); text != "" {
			w.Header().Add("Warning", "299 - "+strconv.QuoteToASCII(text))
		}
	}
}

// manifestWarning is the sentence about a pod's manifest: of one that keeps running as it was, or of one that
// was refused.
func manifestWarning(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == manifestAccepted && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	if p.Status.Phase == corev1.PodPending && len(p.Status.ContainerStatuses) == 0 && len(p.Status.Conditions) == 0 {
		return p.Status.Message
	}
	return ""
}
