package images

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// Which registries are asked without the proxy: all forms of noProxy, of the configuration and of the environment, which the
// configuration goes before.
func TestNoProxy(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config), func(o *lab.Options) {
		o.Env = append(o.Env, "no_proxy=lower.example", "NO_PROXY=upper.example")
	})
	proxy := serveHTTP(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	for _, c := range []struct{ noProxy, direct, proxied string }{
		{
			"localhost, .example.org,*.example.net ,example.com,10.9.0.0/16,10.8.0.1,10.8.0.2:5000,port.example:5000,fd00::/16",
			"a.example.org a.b.example.org a.example.net example.com a.example.com:5000 10.9.1.1:5000 10.8.0.1 10.8.0.2:5000 port.example:5000 [fd00::1]:5000",
			"example.org example.net notexample.com 10.10.0.1:5000 10.8.0.2 port.example port.example:5001 [fd01::1]:5000 upper.example lower.example",
		},
		{"'*'", "a.example 10.10.0.1", ""},
		{"''", "upper.example", "a.example lower.example"},
	} {
		b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: []\nregistryCerts: []\nhttpsProxy: http://"+proxy+"\nnoProxy: "+c.noProxy+"\n"), 0o600))
		b.MustStart()
		var all sync.WaitGroup
		for i, hosts := range []string{c.direct, c.proxied} {
			for _, host := range strings.Fields(hosts) {
				all.Add(1)
				go func() {
					defer all.Done()
					_, said, code := b.RunCLI("images", "pull", host+"/app:1")
					if asked := strings.Contains(said, "the proxy "+proxy+" answers 403"); code == 0 || asked != (i == 1) {
						t.Errorf("with noProxy: %s, %s says %d %s", c.noProxy, host, code, said)
					}
				}()
			}
		}
		all.Wait()
		b.MustStop()
	}
}
