package manifest

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateBandwidth holds limits of traffic to what Kubernetes takes: quantities of bits a second from 1k to 1P
// (kubernetes, pkg/util/bandwidth).
func validateBandwidth(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range []string{"kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"} {
		text, ok := annotations[key]
		if !ok {
			continue
		}
		if why := badBandwidth(text); why != "" {
			errs = append(errs, field.Invalid(path.Key(key), text, why))
		}
	}
	return errs
}

func badBandwidth(text string) string {
	q, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		return "must be a quantity of bits a second, such as 10M"
	case q.Cmp(resource.MustParse("1k")) < 0:
		return "resource is unreasonably small (< 1kbit)"
	case q.Cmp(resource.MustParse("1P")) > 0:
		return "resource is unreasonably large (> 1Pbit)"
	}
	return ""
}
