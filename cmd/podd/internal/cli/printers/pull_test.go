package printers

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/api"
)

// openTerminal makes a terminal of a size, and what it shows.
func openTerminal(t *testing.T, rows, columns uint16) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return screen, terminal
}

// display is what a terminal shows after a text, as far as bars need it: lines that are drawn over, and one that wraps is
// two.
func display(text string, rows, columns int) []string {
	screen := []string{""}
	at := 0
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			screen[at], text = "", text[3:]
		case strings.HasPrefix(text, "\x1b[J"):
			screen, text = append(screen[:at], ""), text[3:]
		case strings.HasPrefix(text, "\x1b["):
			up, rest, _ := strings.Cut(text[2:], "A")
			var n int
			_, _ = fmt.Sscan(up, &n)
			at, text = max(at-n, len(screen)-rows, 0), rest // what has left the screen is not reached
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n' || len(screen[at]) == columns:
			if at++; at == len(screen) {
				screen = append(screen, "")
			}
			text = strings.TrimPrefix(text, "\n")
		default:
			screen[at], text = screen[at]+text[:1], text[1:]
		}
	}
	return screen[:len(screen)-1]
}

// A terminal has a bar for each layer, drawn over in its place whatever its size is.
func TestBarsOnATerminal(t *testing.T) {
	steps := func(show PullProgress, layers int) {
		show.Step("app:1", api.PullStep{Status: "found", Host: "registry.example"})
		for _, done := range []int64{0, 500_000, 1_000_000} {
			for i := range layers {
				show.Step("app:1", api.PullStep{Status: "pulling", Layer: fmt.Sprintf("sha256:%012d", i), Current: done, Total: 1_000_000})
			}
		}
		show.Step("app:1", api.PullStep{Status: "pulling", Layer: "sha256:unknown\x1b[2J", Current: 7})
	}
	for name, c := range map[string]struct {
		rows, columns uint16
		layers        int
		want          []string
	}{
		"wide":   {24, 80, 2, []string{"  000000000000 [########################################] 1MB / 1MB", "  000000000001 [########################################] 1MB / 1MB", "  unknown^[[2J 7B"}},
		"narrow": {24, 40, 2, []string{"  000000000000 [############] 1MB / 1MB", "  000000000001 [############] 1MB / 1MB", "  unknown^[[2J 7B"}},
		"tiny":   {24, 20, 1, []string{"  000000000000 1MB ", "  unknown^[[2J 7B"}},
		"low":    {5, 80, 40, []string{"  unknown^[[2J 7B"}}, // those that are whole have left
	} {
		screen, terminal := openTerminal(t, c.rows, c.columns)
		show, err := PullTo(nil, terminal, "auto")
		if err != nil {
			t.Fatal(err)
		}
		shown := make(chan string)
		go func() {
			var all []byte
			for buf := make([]byte, 4096); !bytes.HasSuffix(all, []byte("end")); {
				n, err := screen.Read(buf)
				if err != nil {
					break
				}
				all = append(all, buf[:n]...)
			}
			shown <- strings.ReplaceAll(strings.TrimSuffix(string(all), "end"), "\r\n", "\n")
		}()
		steps(show, c.layers)
		fmt.Fprint(terminal, "end")
		text := <-shown
		if got := display(text, int(c.rows), int(c.columns)); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: it shows\n%s\nand not\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		if !strings.Contains(text, "500") {
			t.Errorf("%s: it does not show what has come so far", name)
		}
		show.End()
	}
}

// Without a terminal there are lines: the first and the last of each layer, and one now and then.
func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	show, err := PullTo(nil, &out, "auto")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	show.(*plainProgress).now = func() time.Time { return now }
	show.Step("app:1", api.PullStep{Status: "found", Host: "registry.example"})
	for n := range int64(31) {
		show.Step("app:1", api.PullStep{Status: "pulling", Layer: "sha256:0123456789abcdef", Current: n * 1000, Total: 30_000})
		now = now.Add(time.Second)
	}
	want := "app:1: found at registry.example\napp:1: layer 0123456789ab: 0B of 30kB\napp:1: layer 0123456789ab: 10kB of 30kB\n" +
		"app:1: layer 0123456789ab: 20kB of 30kB\napp:1: layer 0123456789ab: 30kB of 30kB\n"
	if out.String() != want {
		t.Errorf("it says\n%s\nand not\n%s", out.String(), want)
	}
	out.Reset()
	if show, err = PullTo(&out, nil, "json"); err != nil {
		t.Fatal(err)
	}
	show.Step("app:1", api.PullStep{Status: "pulling", Layer: "sha256:01", Current: 5, Total: 9})
	if want := `{"name":"app:1","status":"pulling","layer":"sha256:01","current":5,"total":9}` + "\n"; out.String() != want {
		t.Errorf("it says %s", out.String())
	}
}
