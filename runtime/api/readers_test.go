package api_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

// TestReaders: who may look sees what runs, and neither changes it nor sees what is secret.
func TestReaders(t *testing.T) {
	c := apitest.Client(t, apitest.ServeReaders(t, apitest.New(apitest.Pod("a"))))
	const pod = "/api/v1/namespaces/default/pods/a"
	for _, tc := range []struct {
		request string
		code    int
	}{
		{"GET /api/v1/pods", 200},
		{"GET " + pod, 200},
		{"GET /api/v1/events", 200},
		{"GET /api/v1/nodes", 200},
		{"GET /api/v1/configmaps", 200},
		{"GET /apis/apps/v1/deployments", 200},
		{"GET /podd/v1/images", 200},
		{"GET /version", 200},
		{"HEAD /healthz", 200},
		{"GET /nothing", 404},
		{"GET /api/v1/secrets", 403},
		{"GET /api/v1/secret%73", 403},
		{"GET /api/v1/secrets?watch=true", 403},
		{"GET /api/v1/namespaces/default/secrets", 403},
		{"GET /api/v1/namespaces/default/secrets/x", 403},
		{"GET " + pod + "/exec?command=x&stdout=true", 403},
		{"GET " + pod + "/portforward?ports=80", 403},
		{"POST " + pod + "/exec?command=x", 403},
		{"DELETE " + pod, 403},
		{"PATCH " + pod + "/status", 403},
		{"POST /podd/v1/images", 403},
		{"DELETE /podd/v1/images?ref=x", 403},
		{"GET /podd/v1/images/tar?ref=x", 403},
		{"GET /podd/v1/namespaces/default/persistentvolumeclaims/data/tar", 403},
		{"PUT /podd/v1/namespaces/default/persistentvolumeclaims/data/tar", 403},
		{"POST /podd/v1/namespaces/default/deployments/web/restart", 403},
		{"PATCH /apis/apps/v1/namespaces/default/deployments/web/scale", 403},
	} {
		method, path, _ := strings.Cut(tc.request, " ")
		r, err := http.NewRequest(method, "http://podd"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, "watch=true") && tc.code == 200 {
			t.Fatal("it would not end")
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.code {
			t.Errorf("%s: %d, want %d", tc.request, resp.StatusCode, tc.code)
		}
	}
}

func TestListenAs(t *testing.T) {
	const gid = 4711
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "podd.sock")
	l, err := api.ListenAs(path, gid)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o660 || st.Gid != gid || st.Uid != 0 {
		t.Errorf("mode %v, owner %d:%d", info.Mode(), st.Uid, st.Gid)
	}
}
