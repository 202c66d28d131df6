package runtime

import (
	"path/filepath"
	"strings"

	"podd/runtime/manifest"
)

// refusedName is the name to show a refused manifest under: the pod's own or, where it has none, the file's.
func refusedName(p manifest.Problem) string {
	if p.Name != "" {
		return p.Name
	}
	base := strings.ToLower(filepath.Base(p.File))
	return strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".")
}
