package cli

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

func TestImagesOfDaemon(t *testing.T) {
	f := apitest.New()
	f.PutImage(api.ImageInfo{
		ID: "sha256:0123456789abcdef0123", Names: []string{"docker.io/library/busybox:latest", "example.org/b:1"},
		Size: 4312345, Platform: "linux/amd64", Created: time.Now().Add(-50*time.Hour - time.Second),
	})
	f.PutImage(api.ImageInfo{ID: "sha256:ff", Size: 999, Platform: "linux/arm64"})
	f.OnLoad = func(r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
		b, err := io.ReadAll(r)
		if string(b) == "bad" {
			return nil, api.BadRequest("cannot import " + o.Source + ": bad")
		}
		return []api.ImageInfo{{ID: "sha256:1", Names: []string{string(b) + o.Name}}}, err
	}
	socket := apitest.Serve(t, f)
	archive := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(archive, []byte("file"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, bad := t.TempDir(), t.TempDir()
	for _, name := range []string{"1.tar", "2.tar"} {
		if err := os.WriteFile(filepath.Join(bad, name), []byte("bad"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		args, stdin string
		want        result
	}{
		{"images ls", "", result{`IMAGE                              ID             PLATFORM      CREATED    SIZE
docker.io/library/busybox:latest   0123456789ab   linux/amd64   2d2h ago   4.31MB
example.org/b:1                    0123456789ab   linux/amd64   2d2h ago   4.31MB
<none>                             ff             linux/arm64   <unknown>   999B
`, "", 0}},
		{"images ls -o name", "", result{"docker.io/library/busybox:latest\nexample.org/b:1\n", "", 0}},
		{"images ls -o wide", "", result{"", "error: unable to match a printer suitable for the output format \"wide\", allowed formats are: json,name\n", 1}},
		{"images load -", "stdin", result{"loaded stdin\n", "", 0}},
		{"images load --name :x " + archive, "", result{"loaded file:x\n", "", 0}},
		{"images load " + archive + "x", "", result{"", "error: cannot load the archive: open " + archive + "x: no such file or directory\n", 1}},
		{"images load " + bad + "/1.tar", "", result{"", "Error from server (BadRequest): cannot import " + bad + "/1.tar: bad\n", 1}},
		{"images load " + bad, "", result{"", "Error from server (BadRequest): cannot import " + bad + "/1.tar: bad\nError from server (BadRequest): cannot import " + bad + "/2.tar: bad\n", 1}},
		{"images load " + dir, "", result{"", "error: cannot load the folder: " + dir + " is no image (it has neither oci-layout nor manifest.json) and has no archives (*.tar)\n", 1}},
		{"images save a:1 b:1", "", result{"archive of a:1 b:1", "", 0}},
		{"images save nothing", "", result{"", "Error from server (NotFound): images \"nothing\" not found\n", 1}},
		{"images tag a:1 b", "", result{"tagged docker.io/library/b\n", "", 0}},
		{"images pin a nothing", "", result{"pinned pinned-a\n", "Error from server (NotFound): images \"nothing\" not found\n", 1}},
		{"images unpin a", "", result{"unpinned unpinned-a\n", "", 0}},
		{"images prune", "", result{"removed sha256:nameless\n1500 bytes\n", "", 0}},
		{"images prune -a --dry-run", "", result{"would remove sha256:nameless\nwould remove unused:1\n1500 bytes\n", "", 0}},
		{"images verify good", "", result{"sha256:good (a:1): whole\n", "", 0}},
		{"images verify", "", result{"sha256:good (a:1): whole\nsha256:bad (a:1, b:1): damaged\n  etc/x: content\n", "error: 1 layers are not what they were\n", 1}},
		{"images verify --repair", "", result{"sha256:good (a:1): whole\nsha256:bad (a:1, b:1): mended\n  etc/x: content\n", "", 0}},
		{"images verify nothing", "", result{"", "Error from server (NotFound): images \"nothing\" not found\n", 1}},
		{"images rm nothing example.org/b:1", "", result{"removed docker.io/library/busybox:latest\nremoved example.org/b:1\nremoved sha256:0123456789abcdef0123\n", "Error from server (NotFound): images \"nothing\" not found\n", 1}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := podd(t, strings.NewReader(tt.stdin), append(words(tt.args), "--socket", socket)...)
			if strings.Join(words(got.stdout), " ") != strings.Join(words(tt.want.stdout), " ") || got.stderr != tt.want.stderr || got.code != tt.want.code {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// Without a daemon the store on disk is worked on.
func TestImagesWithoutDaemon(t *testing.T) {
	root := t.TempDir()
	run := func(args string) result {
		return podd(t, strings.NewReader("no archive"), append(words(args), "--root", root, "--socket", filepath.Join(root, "none"))...)
	}
	if got := run("images ls"); got.code != 0 || got.stdout != "IMAGE   ID    PLATFORM   CREATED   SIZE\n" {
		t.Errorf("ls: %+v", got)
	}
	if got := run("images load -"); got.code != 1 || !strings.HasPrefix(got.stderr, "error: ") || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("load of a bad archive: %+v", got)
	}
	bad := filepath.Join(root, "bad.tar")
	if err := os.WriteFile(bad, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, root} { // alone, and of a folder
		if got := run("images load " + path); got.code != 1 || !strings.HasPrefix(got.stderr, "error: cannot import "+bad+": ") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("load of %s: %+v", path, got)
		}
	}
	if got := run("images rm busybox"); got.code != 1 || !strings.Contains(got.stderr, "busybox") {
		t.Errorf("rm of what is not there: %+v", got)
	}
}

// A folder is sent to the daemon as an archive, with nothing else that lies in it; a save that fails leaves no file.
func TestImageFilesAndFolders(t *testing.T) {
	f := apitest.New()
	var names []string
	f.OnLoad = func(r io.Reader, _ api.ImageLoad) ([]api.ImageInfo, error) {
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if err != nil {
				return []api.ImageInfo{{Names: names}}, nil
			}
			names = append(names, h.Name)
		}
	}
	socket := apitest.Serve(t, f)
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/blobs/sha256", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oci-layout", "index.json", "blobs/sha256/00", "private-key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := podd(t, strings.NewReader(""), "images", "load", dir, "--socket", socket)
	if want := "loaded oci-layout, index.json, blobs/sha256/00\n"; got.stdout != want || got.code != 0 {
		t.Errorf("%+v, want %q", got, want)
	}
	saved := filepath.Join(t.TempDir(), "saved") // by docker, unpacked
	if err := os.Mkdir(saved, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l.tar","l.tar"]}]`, "c.json": "", "l.tar": "", "private-key": ""} {
		if err := os.WriteFile(filepath.Join(saved, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names = nil
	if got, want := podd(t, strings.NewReader(""), "images", "load", saved, "--socket", socket), "loaded manifest.json, c.json, l.tar\n"; got.stdout != want || got.code != 0 {
		t.Errorf("%+v, want %q", got, want)
	}
	// Of a folder of archives all are loaded, and one that is bad keeps no other out.
	if err := os.WriteFile(filepath.Join(filepath.Dir(saved), "b.tar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names = nil
	all := podd(t, strings.NewReader(""), "images", "load", filepath.Dir(saved), "--socket", socket)
	if strings.Count(all.stdout, "loaded ") != 2 || all.code != 0 {
		t.Errorf("%+v", all)
	}
	all = podd(t, strings.NewReader(""), "images", "load", filepath.Dir(saved), "--name", "x", "--socket", socket)
	if all.code != 1 || !strings.Contains(all.stderr, "it has 2 archives, and --name is for one") {
		t.Errorf("%+v", all)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	for _, ref := range []string{"a:1", "nothing"} { // the second leaves what the first has written
		podd(t, strings.NewReader(""), "images", "save", "-o", file, ref, "--socket", socket)
		data, err := os.ReadFile(file)
		left, _ := os.ReadDir(filepath.Dir(file))
		if err != nil || string(data) != "archive of a:1" || len(left) != 1 {
			t.Errorf("%q, %v, %v", data, err, left)
		}
	}
}
