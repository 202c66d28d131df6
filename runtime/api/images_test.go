package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// zeros is an archive of n bytes that is made while it is read.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLoadImage(t *testing.T) {
	f := apitest.New()
	f.OnLoad = func(r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
		n, err := io.Copy(io.Discard, r)
		return []api.ImageInfo{{ID: "sha256:1", Names: []string{o.Name}, Size: n}}, err
	}
	const size = 20 << 20 // more than any other body may have
	code, b := ask(t, dial(t, f), "POST", "/podd/v1/images?name=x:1", "application/json", zeros(size))
	var l api.ImageList
	if err := json.Unmarshal([]byte(b), &l); err != nil || code != 200 {
		t.Fatalf("%d %s", code, b)
	}
	if i := l.Items[0]; i.Size != size || i.Names[0] != "x:1" {
		t.Errorf("got %+v", i)
	}
}

// The answer to a bad archive arrives although the client is still sending.
func TestLoadImageRefused(t *testing.T) {
	f := apitest.New()
	f.OnLoad = func(r io.Reader, _ api.ImageLoad) ([]api.ImageInfo, error) {
		if _, err := io.CopyN(io.Discard, r, 512); err != nil {
			return nil, err
		}
		return nil, api.BadRequest("not an archive")
	}
	code, b := ask(t, dial(t, f), "POST", "/podd/v1/images", "application/json", zeros(200<<20))
	if code != 400 || !contains(b, `"message":"not an archive"`) {
		t.Errorf("got %d %s", code, b)
	}
}

func TestRemoveImage(t *testing.T) {
	f := apitest.New()
	f.PutImage(api.ImageInfo{ID: "sha256:1", Names: []string{"docker.io/library/busybox:latest"}})
	code, b := ask(t, dial(t, f), "DELETE", "/podd/v1/images?ref=docker.io/library/busybox:latest", "application/json", nil)
	if code != 200 || b != `{"removed":["docker.io/library/busybox:latest","sha256:1"]}`+"\n" {
		t.Errorf("got %d %s", code, b)
	}
}

func TestLargeBodyRefused(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	body := io.MultiReader(strings.NewReader(`{"x":"`), zeros(2<<20))
	resp, err := dial(t, f).Do(mustRequest(t, "DELETE", "/api/v1/namespaces/default/pods/a", body))
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("got %s", resp.Status)
		}
	} else if errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if list, _ := f.Pods(); len(list) != 1 {
		t.Error("the pod was deleted")
	}
}
