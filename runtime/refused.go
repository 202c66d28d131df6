package runtime

import (
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

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

// refusedUID names a refused manifest among objects: by its place and by what is wrong with it.
func refusedUID(p manifest.Problem) types.UID {
	return types.UID("refused:" + p.File + ":" + strconv.Itoa(p.Doc) + ":" + p.Reason)
}
