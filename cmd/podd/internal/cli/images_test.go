package cli

import (
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
		return []api.ImageInfo{{ID: "sha256:1", Names: []string{string(b) + o.Name}}}, err
	}
	socket := apitest.Serve(t, f)
	archive := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(archive, []byte("file"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
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
		{"images load " + dir, "", result{"", "error: cannot send the folder " + dir + " to the daemon: pack it, as in tar -C " + dir + " -c . | podd images load -\n", 1}},
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
	if got := run("images rm busybox"); got.code != 1 || !strings.Contains(got.stderr, "busybox") {
		t.Errorf("rm of what is not there: %+v", got)
	}
}
