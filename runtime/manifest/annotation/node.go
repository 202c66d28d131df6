package annotation

import (
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// NodeKey restricts a document to the boards that fit: names of nodes, or a selector of their labels.
const NodeKey = "podd.dev/node"

// FitsNode says whether an expression of AnnotationNode is about a node: it is its name, a list of names of which it is
// one, or a label selector (app=web, tier in (a,b)) that its labels match.
func FitsNode(expression, name string, has map[string]string) bool {
	if names, ok := nodeNames(expression); ok {
		for _, n := range names {
			if n == name {
				return true
			}
		}
		return false
	}
	selector, err := labels.Parse(expression)
	return err == nil && selector.Matches(labels.Set(has))
}

// nodeNames reads an expression that consists of names alone. A lone label key would look the same; it is a name.
func nodeNames(expression string) ([]string, bool) {
	names := strings.Split(expression, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if len(validation.IsDNS1123Subdomain(names[i])) > 0 {
			return nil, false
		}
	}
	return names, true
}

// ValidateNode judges podd.dev/node.
func ValidateNode(annotations map[string]string, path *field.Path) field.ErrorList {
	expression, ok := annotations[NodeKey]
	if !ok {
		return nil
	}
	if _, ok := nodeNames(expression); ok {
		return nil
	}
	if _, err := labels.Parse(expression); err != nil || strings.TrimSpace(expression) == "" {
		return field.ErrorList{field.Invalid(path.Key(NodeKey), expression, "must be the name of a node, a list of names, or a label selector such as kubernetes.io/arch=arm64")}
	}
	return nil
}
