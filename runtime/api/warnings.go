package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/kinds"
	"podd/runtime/manifest/annotation"
)

// ManifestAccepted is podd's own condition: False while the pod's file holds something that cannot be run,
// and the pod is the last good version of it.
const ManifestAccepted corev1.PodConditionType = annotation.ManifestAccepted

// ConfigAccepted is podd's own condition of the node: False while podd does not run with its configuration file as it
// is now.
const ConfigAccepted corev1.NodeConditionType = "podd.dev/ConfigAccepted"

// BoardFit is podd's own condition of the node: False while the board lacks something, as podd doctor says.
const BoardFit corev1.NodeConditionType = "podd.dev/BoardFit"

// NetworkReady is podd's own condition of the node: False while the pods' network is not as it should be.
const NetworkReady corev1.NodeConditionType = "podd.dev/NetworkReady"

// ManifestsReadable is podd's own condition of the node: False while the folder of manifests is gone or does not answer.
const ManifestsReadable corev1.NodeConditionType = "podd.dev/ManifestsReadable"

// StorageReady is podd's own condition of the node: False while podd cannot write where it has to.
const StorageReady corev1.NodeConditionType = "podd.dev/StorageReady"

// maxWarnings is how many sentences about manifests one answer carries.
const maxWarnings = 5

// addWarnings tells a client what is wrong with the manifests of the objects that it gets, or with the configuration, in the header from
// which kubectl prints its warnings (RFC 7234, code 299).
func addWarnings(w http.ResponseWriter, objs []kinds.Object) {
	said, more := 0, 0
	for _, o := range objs {
		text := ""
		switch o := o.(type) {
		case *corev1.Pod:
			text = manifestWarning(o)
		case *corev1.Node:
			text = configWarning(o)
		default:
			_, text = annotation.ProblemOf(o)
		}
		switch {
		case text == "":
		case said < maxWarnings:
			addWarning(w, text)
			said++
		default:
			more++
		}
	}
	if more > 0 {
		addWarning(w, fmt.Sprintf("and %d more; see podd get events", more))
	}
}

// addObjectWarnings tells who lists a kind of the folder, or the pods that use those, what was refused.
func (s *server) addObjectWarnings(w http.ResponseWriter, k *kinds.Kind) {
	var texts []string
	switch {
	case k.Resource == "pods":
		texts = s.backend.ObjectProblems("")
	case k.Folder:
		texts = s.backend.ObjectProblems(k.Name)
	}
	for i, text := range texts {
		if i == maxWarnings {
			addWarning(w, fmt.Sprintf("and %d more; see podd get events", len(texts)-i))
			return
		}
		addWarning(w, text)
	}
}

func addWarning(w http.ResponseWriter, text string) {
	text = "299 - " + strconv.QuoteToASCII(text)
	if !slices.Contains(w.Header().Values("Warning"), text) {
		w.Header().Add("Warning", text)
	}
}

// manifestWarning is the sentence about a pod's manifest: of one that keeps running as it was, or of one that
// was refused.
func manifestWarning(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == ManifestAccepted && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	if refused(p) {
		return p.Status.Message
	}
	return ""
}

// configWarning is the sentence about the configuration.
func configWarning(n *corev1.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == ConfigAccepted && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	return ""
}

// refused reports whether p stands for a manifest that no pod runs from.
func refused(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodPending && len(p.Status.ContainerStatuses) == 0 && len(p.Status.Conditions) == 0 && p.Status.Message != ""
}
