package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodPod = `apiVersion: v1
kind: Pod
metadata: {name: good}
spec: {containers: [{name: x, image: busybox}]}
`

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	badPod := strings.Replace(strings.Replace(goodPod, "image:", "imag:", 1), "good", "bad", 1)
	for path, text := range map[string]string{
		good: goodPod + "---\n" + strings.Replace(goodPod, "good", "second", 1), bad: badPod, filepath.Join(dir, ".hidden"): "{",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty, link := filepath.Join(dir, "empty"), filepath.Join(dir, "empty", ".dang.yaml")
	if err := errors.Join(os.Mkdir(empty, 0o755), os.Symlink("nowhere", link)); err != nil {
		t.Fatal(err)
	}
	valid := "pod default/good: valid\npod default/second: valid\n"
	tests := []struct {
		args, stdin string
		code        int
		want        []string // each on a line, in order
	}{
		{"-f " + good, "", 0, []string{valid}},
		{good, "", 0, []string{valid}},
		{"-f -", goodPod, 0, []string{"pod default/good: valid\n"}},
		{"-f " + bad, "", 1, []string{bad, `"bad"`, "imag", "line 4"}},
		{"-f -", badPod, 1, []string{"stdin", "imag", "line 4"}},
		{"-f " + dir, "", 1, []string{bad, valid}},
		{"-f " + good + " -f " + bad, "", 1, []string{valid, bad}},
		{"-f " + dir + "/none", "", 1, []string{"error: cannot validate: ", "none: no such file or directory\n"}},
		{"-f " + empty, "", 1, []string{"error: no manifests in " + empty + "\n"}},
		{"-f " + empty + " -f " + good, "", 1, []string{valid, "error: no manifests in " + empty + "\n"}},
		{"-f " + link, "", 1, []string{"error: cannot validate: " + link + ": it is a link to a file that does not exist; create the file or remove the link\n"}},
		{"", "", 1, []string{"error: nothing to validate: name a file or folder with -f, or - for stdin\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := podd(t, strings.NewReader(tt.stdin), append([]string{"validate"}, words(tt.args)...)...)
			rest := got.all()
			for _, w := range tt.want {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Errorf("no %q in %q", w, rest)
				}
				rest = after
			}
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d: %s", got.code, tt.code, got.all())
			}
		})
	}
}

func TestFields(t *testing.T) {
	got := podd(t, nil, "fields")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "FIELD") || !strings.Contains(got.stdout, "metadata.name ") {
		t.Errorf("got %+v", got)
	}
}
