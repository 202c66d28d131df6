package storage

import (
	"strings"
	"testing"

	"podd/test/harness"
)

// A volume of an image shows its files, or one folder of them, and cannot be written. As long as a pod shows it, the
// image is not removed; with the pod gone, it is.
//
// KEP-4639
func TestImageVolume(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.CLI("images", "load", harness.Archive(t, "variants.tar"))
	const image = "podd.test/defaults:1"
	b.MustDrop("shows", harness.PodOf("shows", "volumes:\n- {name: files, image: {reference: '"+image+"', pullPolicy: Never}}\n",
		harness.Mounting("app", harness.Forever, "{name: files, mountPath: /whole}", "{name: files, mountPath: /part, subPath: bin}")))
	b.Running("shows")
	for _, file := range []string{"/whole/bin/show", "/part/show"} {
		if text := b.CLI("exec", "shows", "--", "cat", file); !strings.Contains(text, "$FROM") {
			t.Errorf("%s is %q", file, text)
		}
	}
	for _, file := range []string{"/whole/new", "/part/new"} {
		if _, stderr, code := b.RunCLI("exec", "shows", "--", "touch", file); code == 0 || !strings.Contains(stderr, "Read-only file system") {
			t.Errorf("touch %s: exit code %d: %s", file, code, stderr)
		}
	}
	if _, stderr, code := b.RunCLI("images", "rm", image); code == 0 || !strings.Contains(stderr, "remove its pod first") {
		t.Errorf("an image that a volume shows: exit code %d: %s", code, stderr)
	}
	b.MustRemove("shows")
	b.Gone("shows")
	b.CLI("images", "rm", image)
}
