package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/images/imagetest"
)

// TestMain lets the test binary stand in for another process that uses the same store.
func TestMain(m *testing.M) {
	if script := os.Getenv("PODD_TEST_SCRIPT"); script != "" {
		if err := playScript(script, os.Getenv("PODD_TEST_ROOT"), os.Getenv("PODD_TEST_FOLDER")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if root := os.Getenv("PODD_TEST_STORE"); root != "" {
		if err := churn(root, strings.Fields(os.Getenv("PODD_TEST_ARCHIVES"))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The race detector sleeps for a second at the end of each process, and there are thousands.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// churn loads and removes the archives again and again.
func churn(root string, archives []string) error {
	s, err := Open(root, Options{})
	if err != nil {
		return err
	}
	for range 12 {
		for _, a := range archives {
			imgs, err := s.LoadPath(context.Background(), a, LoadOptions{})
			if err != nil && strings.Contains(err.Error(), "meanwhile: load the archive again") {
				continue
			}
			if err != nil {
				return err
			}
			for _, img := range imgs {
				if _, err := s.Remove(img.ID, nil); err != nil && !errors.Is(err, ErrNotFound) {
					return err
				}
			}
		}
	}
	return nil
}

func startChurn(t *testing.T, root string, archives ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PODD_TEST_STORE="+root, "PODD_TEST_ARCHIVES="+strings.Join(archives, " "))
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// churnImage shares its first layer with those of other names.
func churnImage(name string, files int) imagetest.Image {
	i := hello(name, name)
	var many []imagetest.File
	for n := range files {
		many = append(many, imagetest.Regular(fmt.Sprintf("d%d/f%d", n%7, n), strings.Repeat(name, n)))
	}
	i.Layers = append(i.Layers, imagetest.Layer{Files: many})
	return i
}

// checkWhole opens the store anew and wants every image complete and nothing else to be there.
func checkWhole(t *testing.T, root string, want map[string]string) *Store {
	t.Helper()
	s := must(t, func() (*Store, error) { return Open(root, Options{}) })
	used := map[string]bool{}
	for _, img := range s.List() {
		var got strings.Builder
		for _, l := range img.Layers {
			got.WriteString(imagetest.DescribeTree(t, l))
			used["l/"+filepath.Base(l)] = true
		}
		if got.String() != want[img.ID] {
			t.Fatalf("image %s is not whole: %s", img.Names, firstDifference(got.String(), want[img.ID]))
		}
	}
	for _, left := range leftovers(t, s, "l", "tmp") {
		if !used[left] {
			t.Fatalf("left behind: %s", left)
		}
	}
	for _, left := range leftovers(t, s, "i") {
		if !strings.HasSuffix(left, ".json") {
			t.Fatalf("left behind: %s", left)
		}
	}
	return s
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// expected loads each archive into a store of its own and describes what it becomes.
func expected(t *testing.T, archives ...[]byte) map[string]string {
	t.Helper()
	want := map[string]string{}
	for _, a := range archives {
		for _, img := range loadBytes(t, openStore(t, Options{}), a) {
			var text strings.Builder
			for _, l := range img.Layers {
				text.WriteString(imagetest.DescribeTree(t, l))
			}
			want[img.ID] = text.String()
		}
	}
	return want
}

func TestKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "store")
	a, b := dockerArchive(t, churnImage("a", 400)), dockerArchive(t, churnImage("b", 400))
	want := expected(t, a, b)
	s := must(t, func() (*Store, error) { return Open(root, Options{}) })
	kept := loadBytes(t, s, a)[0]
	file := writeFile(t, dir, "b.tar", b)
	for round := range 12 {
		cmd, _ := startChurn(t, root, file)
		for n := 0; n < 1+round*40; {
			n += len(leftovers(t, s, "tmp")) + len(leftovers(t, s, "l")) - 3 // looks for a moment of work
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		again := checkWhole(t, root, want)
		if img, err := again.Get("a"); err != nil || img.ID != kept.ID {
			t.Fatalf("the image of before: %v", err)
		}
	}
}

func TestProcessesShareAStore(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "store")
	var files []string
	var all [][]byte
	for _, name := range []string{"a", "b", "c"} {
		data := dockerArchive(t, churnImage(name, 30))
		all = append(all, data)
		files = append(files, writeFile(t, dir, name+".tar", data))
	}
	want := expected(t, all...)
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for i := range 3 {
		cmd, out := startChurn(t, root, append(files[i:], files[:i]...)...)
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outs[i])
		}
	}
	checkWhole(t, root, want)
}

func TestLoadIsCancelled(t *testing.T) {
	s := openStore(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	data := dockerArchive(t, churnImage("a", 400))
	r := &cancelAfter{bytes.NewReader(data), len(data) / 2, cancel}
	if _, err := s.Load(ctx, r, LoadOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if left := leftovers(t, s, "tmp", "l", "i"); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
}

type cancelAfter struct {
	r      *bytes.Reader
	at     int
	cancel func()
}

func (c *cancelAfter) Read(b []byte) (int, error) {
	if c.r.Len() < c.at {
		c.cancel()
	}
	return c.r.Read(b[:min(len(b), 4096)])
}

func TestConcurrentLoadsInOneProcess(t *testing.T) {
	s := openStore(t, Options{})
	done := make(chan error)
	for i := range 6 {
		data := dockerArchive(t, churnImage(fmt.Sprint("img", i/2), 30))
		go func() {
			_, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{})
			done <- err
		}()
	}
	deadline := time.After(time.Minute)
	for range 6 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-deadline:
			t.Fatal("the loads do not end")
		}
	}
	if got := len(s.List()); got != 3 {
		t.Fatalf("%d images", got)
	}
}
