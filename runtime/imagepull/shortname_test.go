package imagepull

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/images/registry"
)

// A name without a registry is looked for where registries.conf says so. One that names docker.io itself is not: another registry
// could give what it likes by that name.
func TestNamesWithDockerIOAreNotShort(t *testing.T) {
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", small())
	conf := filepath.Join(t.TempDir(), "registries.conf")
	if err := os.WriteFile(conf, []byte("unqualified-search-registries = [\""+b.host+"\"]\n[[registry]]\nprefix = \"docker.io\"\nblocked = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.puller.Client.Hosts = registry.Hosts{Registries: conf}
	for _, name := range []string{"docker.io/library/app:v1", "docker.io/app:v1", "index.docker.io/library/app:v1"} {
		if out := b.pull(name); out.Err == nil || !strings.Contains(out.Message, "registries.conf blocks docker.io") {
			t.Errorf("%s: %s %v", name, out.Message, b.reg.Requests())
		}
	}
	for _, name := range []string{"app:v1", "library/app:v1"} {
		if out := b.pull(name); out.Err != nil {
			t.Errorf("%s: %v", name, out.Err)
		}
	}
}
