package imagepull

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A registry on loopback whose authority is not known is tried without TLS, and then says nothing but 400: the sentence tells
// what may be missing.
func TestUnknownAuthorityOnLoopback(t *testing.T) {
	b := newBoard(t)
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	out := b.pull(strings.TrimPrefix(server.URL, "https://") + "/app:v1")
	if out.Err == nil || !strings.Contains(out.Message, "400 Bad Request") || !strings.Contains(out.Message, "registryCerts") {
		t.Errorf("%v: %s", out.Err, out.Message)
	}
}
