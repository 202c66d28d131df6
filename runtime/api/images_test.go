package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// A file that its client has open is read where it lies. Nobody but root names one, and what is no file is sent.
func TestLoadFile(t *testing.T) {
	f := apitest.New()
	var got string
	f.OnLoad = func(r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
		if _, ok := r.(*os.File); !ok {
			t.Error("it was sent")
		}
		data, err := io.ReadAll(r)
		got = string(data)
		for range data {
			o.Read(1)
		}
		if got == "bad" {
			return nil, api.BadRequest("no archive")
		}
		return []api.ImageInfo{{ID: "1", Names: []string{o.Name}}, {ID: "2"}}, err
	}
	file := func(content string) *os.File {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		open, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { open.Close() })
		if err := os.Remove(path); err != nil { // the open file counts, not its name
			t.Fatal(err)
		}
		return open
	}
	path := func(fd uintptr) string { return fmt.Sprintf("/podd/v1/images/file?name=x:1&fd=%d", fd) }
	client := dial(t, f)
	code, body := ask(t, client, "POST", path(file("archive").Fd()), "application/json", nil)
	if code != 200 || got != "archive" || !contains(body, `{"status":"loading","current":7,"total":7}`) ||
		!contains(body, `{"status":"done","image":{"id":"1","names":["x:1"],`) || !contains(body, `{"status":"done","image":{"id":"2",`) || !strings.HasSuffix(body, "\n"+`{"status":"loaded"}`+"\n") {
		t.Errorf("%d: %q\n%s", code, got, body)
	}
	if code, body := ask(t, client, "POST", path(file("bad").Fd()), "application/json", nil); code != 200 || !strings.HasSuffix(body, `{"error":"no archive","reason":"BadRequest"}`+"\n") {
		t.Errorf("%d: %s", code, body)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for at, want := range map[string]int{path(r.Fd()): 409, path(1 << 20): 409, "/podd/v1/images/file?fd=x": 400, "/podd/v1/images/file": 400, "/podd/v1/images/file?fd=-1": 400} {
		if code, body := ask(t, client, "POST", at, "application/json", nil); code != want || !contains(body, "file") {
			t.Errorf("%s: %d %s", at, code, body)
		}
	}
}
