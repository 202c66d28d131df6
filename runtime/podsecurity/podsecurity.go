// Package podsecurity judges pods by the Pod Security Standards, as the API server's admission does, with its own code.
//
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
package podsecurity

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Settings are the node's: what counts in namespaces whose labels say nothing, and where nothing is judged.
type Settings struct {
	// Enforced is a level, and a version after a colon: restricted, baseline:v1.30. "": privileged.
	Enforced       string
	Namespaces     []string
	RuntimeClasses []string
}

// Check says what is wrong with a level and version.
func Check(text string) error {
	_, err := parse(text)
	return err
}

func parse(text string) (api.LevelVersion, error) {
	if text == "" {
		text = string(api.LevelPrivileged)
	}
	level, version, found := strings.Cut(text, ":")
	if !found {
		version = api.VersionLatest
	}
	lv := api.LevelVersion{}
	var err error
	if lv.Level, err = api.ParseLevel(level); err != nil {
		return lv, fmt.Errorf("level %q %w", level, err)
	}
	if lv.Version, err = api.ParseVersion(version); err != nil {
		return lv, fmt.Errorf("version %q %w", version, err)
	}
	return lv, nil
}

// Verdict is what is said about a pod, "" where nothing is.
type Verdict struct {
	Refused string // violates PodSecurity …
	Warned  string // would violate PodSecurity …
	Audited string // the same for those who run the board
}

var evaluator = sync.OnceValues(func() (policy.Evaluator, error) {
	return policy.NewEvaluator(policy.DefaultChecks(), nil)
})

// Judge judges a pod by the labels of its namespace and the node's settings. The sentences are the API server's
// (k8s.io/pod-security-admission/admission). Who is refused is not warned.
func (s *Settings) Judge(pod *corev1.Pod, labels map[string]string) (Verdict, error) {
	enforced, err := parse(s.Enforced)
	if err != nil {
		return Verdict{}, err
	}
	privileged := api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}
	// What cannot be understood is refused with its Namespace; until then the strictest counts, as with the API server.
	p, _ := api.PolicyToEvaluate(labels, api.Policy{Enforce: enforced, Audit: privileged, Warn: privileged})
	if p.FullyPrivileged() || s.exempts(pod) {
		return Verdict{}, nil
	}
	e, err := evaluator()
	if err != nil {
		return Verdict{}, fmt.Errorf("cannot judge pods by the Pod Security Standards: %w", err)
	}
	violated := func(word string, lv api.LevelVersion) string {
		result := policy.AggregateCheckResults(e.EvaluatePod(lv, &pod.ObjectMeta, &pod.Spec))
		if result.Allowed {
			return ""
		}
		return fmt.Sprintf("%s PodSecurity %q: %s", word, lv.String(), result.ForbiddenDetail())
	}
	v := Verdict{Refused: violated("violates", p.Enforce), Audited: violated("would violate", p.Audit)}
	if v.Refused == "" {
		v.Warned = violated("would violate", p.Warn)
	}
	return v, nil
}

// Strictest names the strictest level of the latest version that a pod keeps to.
func Strictest(pod *corev1.Pod) string {
	for _, level := range []api.Level{api.LevelRestricted, api.LevelBaseline} {
		s := Settings{Enforced: string(level)}
		if v, err := s.Judge(pod, nil); err == nil && v.Refused == "" {
			return string(level)
		}
	}
	return string(api.LevelPrivileged)
}

func (s *Settings) exempts(pod *corev1.Pod) bool {
	class := pod.Spec.RuntimeClassName
	return slices.Contains(s.Namespaces, pod.Namespace) || class != nil && slices.Contains(s.RuntimeClasses, *class)
}
