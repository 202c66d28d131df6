package cli

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli/printers"
	"podd/images/layer"
	"podd/images/platform"
	"podd/internal/escape"
	"podd/runtime/api"
)

// lookCommand is a command that shows what one image is made of.
func (i *images) lookCommand(use, short string, show func(w io.Writer, l api.ImageLayers) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: "  podd images " + strings.Fields(use)[0] + " busybox:1.36", Args: named("name an image, by its name or ID", cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			l, err := s.ImageLayers(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), l)
		},
		ValidArgsFunction: i.completeImage,
	}
}

func (i *images) lookCommands() []*cobra.Command {
	return []*cobra.Command{
		i.lookCommand("inspect IMAGE", "Show an image, its layers, its configuration and its manifest as JSON", func(w io.Writer, l api.ImageLayers) error {
			data, err := json.MarshalIndent(&l, "", "    ")
			if err == nil {
				_, err = fmt.Fprintf(w, "%s\n", data)
			}
			return err
		}),
		i.lookCommand("history IMAGE", "Show the steps by which an image was built, the last first", printers.ImageHistory),
		i.lookCommand("tree IMAGE", "Show the layers of an image, and which other images have them", printers.ImageTree),
	}
}

// importCommand makes an image of a root file system, as docker import does.
func (i *images) importCommand() *cobra.Command {
	var forPlatform string
	cmd := &cobra.Command{
		Use:     "import FILE NAME",
		Short:   "Make an image of a tar of a root file system, plain or compressed with gzip or zstd",
		Example: "  podd images import rootfs.tar.gz base:1",
		Args:    named("give the FILE of a root file system, and the image's NAME", cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := platform.Host()
			if forPlatform != "" {
				var err error
				if p, err = platform.Parse(forPlatform); err != nil {
					return err
				}
			}
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("cannot import: %w", err)
			}
			defer f.Close()
			config, size, err := importedConfig(f, p)
			if err != nil {
				return fmt.Errorf("cannot import %s: %w", args[0], err)
			}
			r, w := io.Pipe()
			go func() { _ = w.CloseWithError(packImported(w, f, size, config, args[1])) }()
			loaded, err := s.load(cmd.Context(), r, api.ImageLoad{Name: args[1], Source: args[0]})
			_ = r.Close() // if it was refused before its end
			if err != nil {
				return err
			}
			for _, img := range loaded {
				fmt.Fprintf(cmd.OutOrStdout(), "imported %s\n", escape.Line(printers.ImageTitle(&img)))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&forPlatform, "platform", "", "what the image is for, such as linux/arm64, instead of this machine")
	return cmd
}

// importedConfig reads the file once, for the digest of what is in it.
func importedConfig(f *os.File, p platform.Platform) (config []byte, size int64, err error) {
	in := bufio.NewReader(f)
	start, _ := in.Peek(8)
	z, err := layer.Decompress(in)
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	tee := io.TeeReader(z, sum)
	if _, err := tar.NewReader(tee).Next(); err != nil && (!errors.Is(err, io.EOF) || len(start) == 0) {
		return nil, 0, errors.Join(fmt.Errorf("it must be a tar, plain or compressed with gzip or zstd, and this is %s", kindOfFile(start)), z.Close())
	}
	_, err = io.Copy(io.Discard, tee)
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, errors.New("it must be a file, as it is read twice")
	}
	config, err = json.Marshal(map[string]any{
		"created": time.Now().UTC().Format(time.RFC3339), "os": p.OS, "architecture": p.Architecture, "variant": p.Variant,
		"config":  map[string]any{},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum.Sum(nil))}},
		"history": []any{map[string]any{"created": time.Now().UTC().Format(time.RFC3339), "comment": "imported by podd on " + runtime.GOARCH}},
	})
	return config, st.Size(), err
}

// kindOfFile says by its first bytes what a file is that is no tar.
func kindOfFile(start []byte) string {
	if len(start) == 0 {
		return "empty"
	}
	for _, k := range []struct{ magic, name string }{
		{"PK\x03\x04", "a zip archive"},
		{"hsqs", "a squashfs image"},
		{"\x7fELF", "a program"},
	} {
		if strings.HasPrefix(string(start), k.magic) {
			return k.name
		}
	}
	return "none"
}

// packImported writes what docker save would.
func packImported(w io.Writer, f *os.File, size int64, config []byte, name string) error {
	manifest, err := json.Marshal([]any{map[string]any{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "layer.tar", Size: size, Mode: 0o644}); err != nil {
		return err
	}
	if _, err := io.Copy(out, io.NewSectionReader(f, 0, size)); err != nil {
		return err
	}
	for _, d := range []struct {
		name string
		data []byte
	}{{"config.json", config}, {"manifest.json", manifest}} {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: d.name, Size: int64(len(d.data)), Mode: 0o644}); err != nil {
			return err
		}
		if _, err := out.Write(d.data); err != nil {
			return err
		}
	}
	return out.Close()
}
