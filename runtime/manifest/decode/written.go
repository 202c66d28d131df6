package decode

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// BlameWritten moves errors about values that a default copied to the fields that they were copied from, so that
// each is reported where somebody wrote it.
func BlameWritten(errs field.ErrorList, data []byte) field.ErrorList {
	var tree any
	if len(errs) == 0 || kjson.UnmarshalCaseSensitivePreserveInts(data, &tree) != nil {
		return errs
	}
	for _, err := range errs {
		origin := strings.Replace(err.Field, ".requests[", ".limits[", 1)
		if before, ok := strings.CutSuffix(err.Field, ".hostPort"); ok {
			origin = before + ".containerPort"
		}
		if origin != err.Field && !isWritten(tree, err.Field) && isWritten(tree, origin) {
			err.Field = origin
		}
	}
	return errs
}

// isWritten tells whether a document has a field at path.
func isWritten(tree any, path string) bool {
	for _, step := range steps(path) {
		switch at := tree.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return false
			}
			tree = next
		case []any:
			i, err := strconv.Atoi(strings.TrimPrefix(step, "#"))
			if err != nil || i < 0 || i >= len(at) {
				return false
			}
			tree = at[i]
		default:
			return false
		}
	}
	return true
}
