package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/images/imagetest"
	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

func TestImagesAreLookedAt(t *testing.T) {
	f := apitest.New()
	f.PutImage(api.ImageInfo{ID: "sha256:1", Names: []string{"a:1"}, Size: 4 << 20})
	socket := apitest.Serve(t, f)
	for args, want := range map[string][]string{
		"images history a:1": {"LAYER", "own", "COPY x /x # by hand", "<none>", `CMD ["sh"]`, "base", "4.19MB", "ADD rootfs.tar /"},
		"images tree a:1":    {"a:1  4.19MB", "├── base  4.19MB  also in other:1", "└── own  1.5kB"},
		"images inspect a:1": {`"diffID": "sha256:base"`, `"history"`},
	} {
		got := podd(t, strings.NewReader(""), append(words(args), "--socket", socket)...)
		rest := got.stdout
		for _, w := range want {
			i := strings.Index(rest, w)
			if i < 0 {
				t.Errorf("%s lacks %q: %+v", args, w, got)
				break
			}
			rest = rest[i:]
		}
	}
	if got := podd(t, strings.NewReader(""), "images", "tree", "none", "--socket", socket); got.code != 1 || !strings.Contains(got.stderr, "none") {
		t.Errorf("%+v", got)
	}
}

// A root file system becomes an image, plain or compressed.
func TestImagesImport(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the store keeps owners")
	}
	root := t.TempDir()
	run := func(args ...string) result {
		return podd(t, strings.NewReader(""), append(args, "--root", root, "--socket", filepath.Join(root, "none"))...)
	}
	data, err := imagetest.Tar(imagetest.Dir("etc/"), imagetest.Regular("etc/hello", "world"))
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"", "gzip", "zstd"} {
		packed, err := imagetest.Compress(data, how)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "root.tar")
		if err := os.WriteFile(file, packed, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run("images", "import", file, "mine:"+how+"1"); got.code != 0 || !strings.Contains(got.stdout, "docker.io/library/mine:"+how+"1") {
			t.Fatalf("%s: %+v", how, got)
		}
	}
	if got := run("images", "tree", "mine:1"); !strings.Contains(got.stdout, "└── ") || !strings.Contains(got.stdout, "5B") {
		t.Errorf("%+v", got)
	}
	for start, kind := range map[string]string{
		"": "empty", "PK\x03\x04rest": "a zip archive",
		"hsqs----": "a squashfs image", "\x7fELF\x02\x01": "a program", "just some text": "none",
	} {
		file := filepath.Join(root, "nothing")
		if err := os.WriteFile(file, []byte(start), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "cannot import " + file + ": it must be a tar, plain or compressed with gzip or zstd, and this is " + kind + "\n"
		if got := run("images", "import", file, "x:1"); got.code != 1 || !strings.HasSuffix(got.stderr, want) {
			t.Errorf("%q: %+v, want %q", start, got, want)
		}
	}
	if got := run("images", "import", filepath.Join(root, "gone"), "x:1"); got.code != 1 || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}

// A file that is loaded shows how far it was sent, and ends with what was in it.
func TestLoadShowsProgress(t *testing.T) {
	f := apitest.New()
	f.OnLoad = func(r io.Reader, _ api.ImageLoad) ([]api.ImageInfo, error) {
		_, err := io.Copy(io.Discard, r)
		return []api.ImageInfo{{ID: "sha256:1", Names: []string{"a:1"}}}, err
	}
	socket := apitest.Serve(t, f)
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(mode string) result {
		return podd(t, strings.NewReader(""), "images", "load", file, "--progress", mode, "--socket", socket)
	}
	if got := load("auto"); got.stdout != "loaded a:1\n" || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if got := load("plain"); got.stdout != "loaded a:1\n" || !strings.Contains(got.stderr, "3.15MB of 3.15MB") {
		t.Errorf("%+v", got)
	}
	if got := load("json"); !strings.Contains(got.stdout, `"current":3145728`) || !strings.Contains(got.stdout, `"status":"done"`) || strings.Contains(got.stdout, "loaded") {
		t.Errorf("%+v", got)
	}
	if got := load("colour"); got.code == 0 || !strings.Contains(got.stderr, "--progress") {
		t.Errorf("%+v", got)
	}
}
