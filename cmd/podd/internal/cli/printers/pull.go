package printers

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"podd/internal/escape"
	"podd/runtime/api"
)

// PullProgress shows how pulls go on.
type PullProgress interface {
	// Step shows one step, End forgets the steps of an image.
	Step(ref string, s api.PullStep)
	End()
}

// PullTo shows pulls as mode says: auto (bars on a terminal), plain or json. Steps go to notes, lines of JSON to out.
func PullTo(out, notes io.Writer, mode string) (PullProgress, error) {
	switch mode {
	case "json":
		return jsonProgress{json.NewEncoder(out)}, nil
	case "plain":
		return &plainProgress{out: notes, now: time.Now}, nil
	case "auto":
		if f, ok := notes.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return &barProgress{out: notes, size: func() (width, rows int) {
				width, rows, _ = term.GetSize(int(f.Fd())) // 0: unknown
				return width, rows
			}}, nil
		}
		return &plainProgress{out: notes, now: time.Now}, nil
	}
	return nil, fmt.Errorf("--progress must be auto, plain or json, not %q", mode)
}

// LoadTo shows how an archive is loaded, as PullTo; without a terminal auto shows nothing.
func LoadTo(out, notes io.Writer, mode string) (PullProgress, error) {
	show, err := PullTo(out, notes, mode)
	if _, plain := show.(*plainProgress); plain && mode == "auto" {
		return noProgress{}, nil
	}
	return show, err
}

type noProgress struct{}

func (noProgress) Step(string, api.PullStep) {}

func (noProgress) End() {}

// jsonProgress writes each step as a line of JSON, for programs.
type jsonProgress struct{ out *json.Encoder }

func (j jsonProgress) Step(ref string, s api.PullStep) {
	_ = j.out.Encode(struct {
		Name string `json:"name"`
		api.PullStep
	}{ref, s}) // as any output of the command
}

func (jsonProgress) End() {}

// plainProgress writes a line at the beginning and the end of each layer, and now and then between them.
type plainProgress struct {
	out  io.Writer
	now  func() time.Time
	last map[string]time.Time
}

const plainEach = 10 * time.Second

func (p *plainProgress) Step(ref string, s api.PullStep) {
	switch {
	case s.Status == "found":
		fmt.Fprintf(p.out, "%s: found at %s\n", escape.Line(ref), escape.Line(s.Host))
	case s.Status == "loading":
		if p.due(ref, s) {
			fmt.Fprintf(p.out, "%s: %s of %s\n", escape.Line(ref), Size(s.Current), Size(s.Total))
		}
	case s.Layer != "" && s.Total > 0 && p.due(s.Layer, s):
		fmt.Fprintf(p.out, "%s: layer %s: %s of %s\n", escape.Line(ref), shortDigest(s.Layer), Size(s.Current), Size(s.Total))
	}
}

// due says whether something is to be written of a layer or a file: at its beginning, at its end, and now and then.
func (p *plainProgress) due(of string, s api.PullStep) bool {
	now := p.now()
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	if at, said := p.last[of]; said && s.Current < s.Total && now.Sub(at) < plainEach {
		return false
	}
	p.last[of] = now
	return true
}

func (p *plainProgress) End() { p.last = nil }

// barProgress draws a bar for each layer, over and over.
type barProgress struct {
	out    io.Writer
	size   func() (width, rows int)
	layers []api.PullStep
	drawn  int // lines
}

func (b *barProgress) Step(_ string, s api.PullStep) {
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
	width, rows := b.size()
	lines := b.lines(rows)
	var text strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", b.drawn)
	}
	for _, line := range lines {
		if draw := bar(line, width); width <= 0 || len(draw) < width {
			fmt.Fprintf(&text, "\r\x1b[K%s\n", draw)
		} else { // a line that wraps would be two
			fmt.Fprintf(&text, "\r\x1b[K%s\n", draw[:width-1])
		}
	}
	b.drawn = len(lines)
	fmt.Fprint(b.out, text.String()+"\x1b[J")
}

// lines are the layers that are shown: of more than fit on the terminal, which could not be drawn over, those that are not
// whole.
func (b *barProgress) lines(rows int) []api.PullStep {
	if rows <= 0 || len(b.layers) < rows {
		return b.layers
	}
	var list []api.PullStep
	for _, l := range b.layers {
		if (l.Total <= 0 || l.Current < l.Total) && len(list) < rows-1 {
			list = append(list, l)
		}
	}
	return list
}

// bar is one line: digest, bar, and how much of how much.
func bar(l api.PullStep, width int) string {
	head := "  " + shortDigest(l.Layer) + " "
	if l.Total <= 0 {
		return head + Size(l.Current)
	}
	tail := fmt.Sprintf(" %s / %s", Size(l.Current), Size(l.Total))
	room := min(width-len(head)-len(tail)-3, 40)
	if room < 4 {
		return head + tail[1:]
	}
	full := int(int64(room) * min(l.Current, l.Total) / l.Total)
	return head + "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]" + tail
}

func (b *barProgress) End() { b.layers, b.drawn = nil, 0 }

func shortDigest(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return escape.Line(hex[:min(len(hex), 12)])
}
