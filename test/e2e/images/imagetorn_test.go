package images

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// bringer has a board get an image from somewhere, and gives the name by which a pod wants it.
type bringer func(t *testing.T, b *harness.Board, config string) (image string)

// fromFolder is an archive in the folder of images.
func fromFolder(_ *testing.T, b *harness.Board, config string) string {
	b.LoadImages("busybox.tar")
	b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\n"), 0o600))
	return "busybox"
}

// fromRegistry is a registry with a password.
func fromRegistry(t *testing.T, b *harness.Board, config string) string {
	auth := filepath.Join(t.TempDir(), "auth.json")
	b.Must(os.WriteFile(auth, []byte(`{"auths": {"`+dockerRegistry+`": {"auth": "Ym9hcmQ6c2VjcmV0"}}}`), 0o600)) // board:secret
	b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: ["+auth+"]\nregistryCerts: ["+startRegistry(t, b)+"]\n"), 0o600))
	return dockerRegistry + "/team/busybox:1"
}

// fromNeighbour is another board, when the registry is away.
func fromNeighbour(t *testing.T, b *harness.Board, config string) string {
	const away = "127.0.0.1:4999/team/busybox:1"
	near := harness.NewEmptyBoard(t)
	if out, stderr, code := near.RunCLI("images", "load", "--root", near.Root, "--name", away, harness.Archive(t, "busybox.tar")); code != 0 {
		t.Fatal(out, stderr)
	}
	serve(b, "127.0.0.1:5001", near.Root)
	b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nimagePeers: [\"http://127.0.0.1:5001\"]\nimagePeersResolveTags: true\n"), 0o600))
	return away
}

// tearLayers leaves files of each layer as a disk does that does not keep its word when power fails.
func tearLayers(b *harness.Board) {
	b.T.Helper()
	layers, err := filepath.Glob(filepath.Join(b.Root, "images/l/*"))
	b.Must(err)
	if len(layers) == 0 {
		b.T.Fatal("the store has no layer")
	}
	for _, layer := range layers {
		b.Must(os.Truncate(filepath.Join(layer, "bin/busybox"), 0))
		b.Must(os.Remove(filepath.Join(layer, "etc/passwd")))
	}
	// Boards of tests cannot have another boot: this is what is left of one whose end nobody has noted.
	b.Must(os.WriteFile(filepath.Join(b.Root, "images/checked"), []byte("an earlier boot\n"), 0o600))
}

// An image that a loss of power has torn is found at the next start, and comes again from where it came before its pod uses it,
// also if podd is killed once more meanwhile. What is damaged later is found and mended by podd images verify.
func TestTornImageComesAgain(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]bringer{"folder": fromFolder, "registry": fromRegistry, "neighbour": fromNeighbour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := filepath.Join(t.TempDir(), "config.yaml")
			b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config))
			image := bring(t, b, config)
			b.MustStart()
			pod := harness.ReplaceImage(strings.ReplaceAll(harness.OnePod("app", harness.Forever), "imagePullPolicy: Never", "imagePullPolicy: IfNotPresent"), image)
			b.MustDrop("app", pod)
			b.Running("app")
			want := b.Sh("app", "main", "cat /etc/passwd; sha256sum /bin/busybox")

			b.MustRemove("app")
			b.Gone("app")
			b.MustKill9()
			tearLayers(b)
			b.MustDrop("app", pod)
			b.Must(b.Start())
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				torn, err := filepath.Glob(filepath.Join(b.Root, "images/d/*.torn"))
				return len(torn) > 0, errors.Join(err, errors.New("the damage is not noticed"))
			}))
			b.MustKill9()
			b.MustStart()
			b.Running("app")
			if got := b.Sh("app", "main", "cat /etc/passwd; sha256sum /bin/busybox"); got != want {
				t.Errorf("after the start:\n%s\nbefore:\n%s", got, want)
			}
			if out, stderr, code := b.RunCLI("images", "verify"); code != 0 {
				t.Errorf("verify: %d: %s%s", code, out, stderr)
			}

			groups, err := filepath.Glob(filepath.Join(b.Root, "images/l/*/etc/group"))
			b.Must(err)
			for _, file := range groups {
				text := b.ReadFile(file)
				b.Must(os.WriteFile(file, []byte(strings.ToUpper(text)), 0o600))
			}
			if out, _, code := b.RunCLI("images", "verify"); code != 1 || !strings.Contains(out, "etc/group") {
				t.Errorf("verify: %d: %s", code, out)
			}
			// The archive in the folder may have been read again already.
			out, stderr, code := b.RunCLI("images", "verify", "--repair")
			if code != 0 || !strings.Contains(out, ": mended") && (name != "folder" || !strings.Contains(out, ": whole")) {
				t.Errorf("repair: %d: %s%s", code, out, stderr)
			}
			b.MustDrop("next", strings.Replace(pod, "name: app", "name: next", 1))
			b.Running("next")
			if got := b.Sh("next", "main", "grep -c ^root: /etc/group"); strings.TrimSpace(got) != "1" {
				t.Errorf("etc/group has %q lines of root", got)
			}
		})
	}
}
