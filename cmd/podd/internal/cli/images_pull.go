package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
	"podd/runtime/api"
)

func (i *images) pullCommand() *cobra.Command {
	var progress, platform string
	cmd := &cobra.Command{
		Use:   "pull IMAGE...",
		Short: "Pull images from registries, as podd run is configured to",
		Long: "Pull images from registries. The running podd pulls, with its configuration of registries and with the credentials\n" +
			"of the node; it goes on with what came of an earlier pull.",
		Args: named("name an image, such as busybox:1.36", cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, err := progressTo(cmd, progress)
			if err != nil {
				return err
			}
			var errs []error
			for _, ref := range args {
				img, err := i.pull(cmd.Context(), ref, platform, show)
				show.end()
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if progress != "json" {
					fmt.Fprintf(cmd.OutOrStdout(), "pulled %s\n", escape.Line(printers.ImageTitle(img)))
				}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringVar(&progress, "progress", "auto", "auto (bars on a terminal), plain or json")
	cmd.Flags().StringVar(&platform, "platform", "", "such as linux/arm/v7, instead of this machine's")
	mustComplete(cmd, "progress", completeWords("auto", "plain", "json"))
	return cmd
}

// pull asks the daemon, and shows each step.
func (i *images) pull(ctx context.Context, ref, platform string, show pullProgress) (*api.ImageInfo, error) {
	q := url.Values{"ref": {ref}}
	if platform != "" {
		q.Set("platform", platform)
	}
	resp, err := i.client().Do(ctx, http.MethodPost, imagesPath+"/pull", q, client.AcceptObject, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for in := json.NewDecoder(resp.Body); ; {
		var step api.PullStep
		if err := in.Decode(&step); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("podd has ended; what came is kept")
			}
			return nil, fmt.Errorf("cannot pull %s: %w", ref, err)
		}
		show.step(ref, step)
		switch {
		case step.Error != "":
			return nil, errors.New(escape.Line(step.Error))
		case step.Image != nil:
			return step.Image, nil
		}
	}
}

// pullProgress shows how pulls go on.
type pullProgress interface {
	step(ref string, s api.PullStep)
	end()
}

func progressTo(cmd *cobra.Command, mode string) (pullProgress, error) {
	out := cmd.ErrOrStderr()
	switch mode {
	case "json":
		return jsonProgress{json.NewEncoder(cmd.OutOrStdout())}, nil
	case "plain":
		return &plainProgress{out: out, now: time.Now}, nil
	case "auto":
		if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return &barProgress{out: out, width: func() int { w, _, _ := term.GetSize(int(f.Fd())); return w }}, nil
		}
		return &plainProgress{out: out, now: time.Now}, nil
	}
	return nil, fmt.Errorf("--progress must be auto, plain or json, not %q", mode)
}

// jsonProgress writes each step as a line of JSON, for programs.
type jsonProgress struct{ out *json.Encoder }

func (j jsonProgress) step(ref string, s api.PullStep) {
	_ = j.out.Encode(struct {
		Name string `json:"name"`
		api.PullStep
	}{ref, s}) // as any output of the command
}

func (jsonProgress) end() {}

// plainProgress writes a line at the beginning and the end of each layer, and now and then between them.
type plainProgress struct {
	out  io.Writer
	now  func() time.Time
	last map[string]time.Time
}

const plainEach = 10 * time.Second

func (p *plainProgress) step(ref string, s api.PullStep) {
	switch {
	case s.Status == "found":
		fmt.Fprintf(p.out, "%s: found at %s\n", escape.Line(ref), escape.Line(s.Host))
	case s.Layer != "" && s.Total > 0:
		now := p.now()
		if p.last == nil {
			p.last = map[string]time.Time{}
		}
		if at, said := p.last[s.Layer]; said && s.Current < s.Total && now.Sub(at) < plainEach {
			return
		}
		p.last[s.Layer] = now
		fmt.Fprintf(p.out, "%s: layer %s: %s of %s\n", escape.Line(ref), shortDigest(s.Layer), printers.Size(s.Current), printers.Size(s.Total))
	}
}

func (p *plainProgress) end() { p.last = nil }

// barProgress draws a bar for each layer, over and over.
type barProgress struct {
	out    io.Writer
	width  func() int
	layers []api.PullStep
	drawn  int // lines
}

func (b *barProgress) step(_ string, s api.PullStep) {
	if s.Layer == "" {
		return
	}
	known := false
	for i := range b.layers {
		if b.layers[i].Layer == s.Layer {
			b.layers[i], known = s, true
		}
	}
	if !known {
		b.layers = append(b.layers, s)
	}
	b.draw()
}

func (b *barProgress) draw() {
	var text strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", b.drawn)
	}
	for _, l := range b.layers {
		fmt.Fprintf(&text, "\r\x1b[K%s\n", bar(l, b.width()))
	}
	b.drawn = len(b.layers)
	fmt.Fprint(b.out, text.String())
}

// bar is one line: digest, bar, and how much of how much.
func bar(l api.PullStep, width int) string {
	head := "  " + shortDigest(l.Layer) + " "
	if l.Total <= 0 {
		return head + printers.Size(l.Current)
	}
	tail := fmt.Sprintf(" %s / %s", printers.Size(l.Current), printers.Size(l.Total))
	room := min(width-len(head)-len(tail)-3, 40)
	if room < 4 {
		return head + tail[1:]
	}
	full := int(int64(room) * min(l.Current, l.Total) / l.Total)
	return head + "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]" + tail
}

func (b *barProgress) end() { b.layers, b.drawn = nil, 0 }

func shortDigest(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return escape.Line(hex[:min(len(hex), 12)])
}
