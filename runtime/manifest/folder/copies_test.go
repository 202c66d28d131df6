package folder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/runtime/manifest"
)

func writePod(t *testing.T, path, generation string, at time.Time) {
	t.Helper()
	text := "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c, image: busybox, env: [{name: GEN, value: '" + generation + "'}]}]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestCopiesAreNotRead: what an editor, a packager or a desktop puts aside never wins over the file that was edited.
func TestCopiesAreNotRead(t *testing.T) {
	now := time.Now()
	for _, name := range []string{"x.yaml.old", "x.yaml.orig", "x.yaml.save", "x.yaml.rpmsave", "x.yaml.dpkg-old", "#x.yaml#", "x (copy).yaml"} {
		dir := t.TempDir()
		writePod(t, filepath.Join(dir, name), "1", now.Add(-24*time.Hour))
		writePod(t, filepath.Join(dir, "x.yaml"), "2", now.Add(-time.Hour))
		set := Open(Options{Dir: dir}).Scan(now)
		if len(set.Pods) != 1 || set.Pods[0].Object.Spec.Containers[0].Env[0].Value != "2" {
			t.Errorf("%s: pods %v", name, set.Pods)
		}
		if len(set.Problems) != 1 || set.Problems[0].Reason != manifest.ReasonCopy || !strings.Contains(set.Problems[0].Message, name+": it is named like a copy") {
			t.Errorf("%s: problems %v", name, set.Problems)
		}
	}
}

// TestSameFileWinsAfterABoot: of two files with one pod the one that had it before the boot has it after, whichever was
// written to last.
func TestSameFileWinsAfterABoot(t *testing.T) {
	now := time.Now()
	dir, cache := t.TempDir(), t.TempDir()
	first, second := filepath.Join(dir, "z.yaml"), filepath.Join(dir, "a.yaml")
	writePod(t, first, "1", now.Add(-3*time.Hour))
	f := Open(Options{Dir: dir, CacheDir: cache})
	f.Scan(now)
	writePod(t, second, "2", now.Add(-2*time.Hour))
	f.Scan(now)
	writePod(t, first, "3", now.Add(-time.Hour)) // now it is the one written last
	generation := func(set manifest.Set) string {
		if len(set.Pods) != 1 || len(set.Problems) != 1 {
			t.Fatalf("%+v", set)
		}
		return set.Pods[0].Object.Spec.Containers[0].Env[0].Value
	}
	if g := generation(f.Scan(now)); g != "3" {
		t.Fatalf("before the boot %s", g)
	}
	if g := generation(Open(Options{Dir: dir, CacheDir: cache}).Scan(now)); g != "3" {
		t.Errorf("after the boot %s", g)
	}
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	f.Scan(now)
	f.Scan(now.Add(time.Minute))
	if _, err := os.Lstat(filepath.Join(cache, "owners")); err == nil {
		t.Error("what is no question any more is still kept")
	}
}
