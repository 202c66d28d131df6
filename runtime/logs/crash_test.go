package logs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// died is what a step throws to end the sink there, as a kill would.
type died struct{ step string }

// scenario is what one container says, with every step of the protocol in it:
// incomplete lines, two streams, a moved spool, rotations, a last line without
// newline.
type scenario struct {
	l     *lab
	texts [streams][]string
	// said and drained number the texts, so that a successor goes on where its
	// predecessor died.
	said    [streams]int
	drained int
}

func newScenario(t *testing.T, texts [streams][]string) *scenario {
	dir := onTmpfs(t) // syncs cost nothing there
	l := newLab(t)
	l.c.Path = filepath.Join(dir, "web", "0.log")
	l.c.MaxSize, l.c.MaxFiles = 90<<10, 100
	return &scenario{l: l, texts: texts}
}

// scenarioTexts fills a pipe with each text, but with no more than fits.
func scenarioTexts() (texts [streams][]string) {
	for st := range texts {
		for i := range 12 {
			var out strings.Builder
			for n := range 6 + 700*(i%4)*(1-st) {
				fmt.Fprintf(&out, "%d.%d ... ", i, n)
				if n%3 > 0 {
					fmt.Fprintf(&out, "%s\n", Stream(st))
				}
			}
			if i == 7 {
				out.WriteString(strings.Repeat("long", 3*maxContent/8))
			}
			texts[st] = append(texts[st], out.String())
		}
	}
	return texts
}

// run does what is left to do and returns the step at which it died, "" if none.
func (s *scenario) run() (step string) {
	defer func() {
		if r := recover(); r != nil {
			d, ok := r.(died)
			if !ok {
				panic(r)
			}
			step = d.step
			s.abandon()
		}
	}()
	sink, err := OpenSink(s.l.c)
	if err != nil {
		s.l.t.Fatal(err)
	}
	s.l.sink = sink
	for ; s.drained < len(s.texts[0]); s.drained++ {
		for st := Stdout; st < streams; st++ {
			if s.said[st] == s.drained {
				s.l.say(st, s.texts[st][s.drained])
				s.said[st]++
			}
		}
		s.drainAll()
	}
	if err := sink.Close(); err != nil {
		s.l.t.Fatal(err)
	}
	return ""
}

func (s *scenario) drainAll() {
	for st := Stdout; st < streams; st++ {
		s.l.drain(st)
	}
}

// abandon leaves everything on disk and in the state as the kill found it.
func (s *scenario) abandon() {
	shop := s.l.c.shop
	shop.mu.Lock()
	sinks := slices.Clone(shop.open)
	shop.mu.Unlock()
	for _, sink := range sinks {
		sink.Suspend()
	}
}

func (s *scenario) check(when string) {
	s.l.t.Helper()
	for st := Stdout; st < streams; st++ {
		got := s.l.read(ReadOptions{Stream: st.String()})
		if want := strings.Join(s.texts[st], ""); got != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			s.l.t.Fatalf("%s: %s differs at %d of %d: got %.60q, want %.60q", when, st, at, len(want), got[at:], want[at:])
		}
	}
}

// dieAt ends the sink at the n-th step from now on, and at each n-th after that as
// often as times says.
func (s *scenario) dieAt(n, times int) {
	count := 0
	s.l.c.shop.step = func(step string) {
		if count++; count == n && times > 0 {
			count = 0
			times--
			panic(died{step})
		}
	}
}

// TestDeathAtEveryStep ends the sink once at every step of the scenario.
func TestDeathAtEveryStep(t *testing.T) {
	seen := map[string]int{}
	texts := scenarioTexts()
	for n := 1; ; n++ {
		s := newScenario(t, texts)
		s.dieAt(n, 1)
		step := s.run()
		if step == "" {
			s.check("undisturbed")
			break
		}
		seen[step]++
		if again := s.run(); again != "" {
			t.Fatalf("died a second time at %q", again)
		}
		s.check(fmt.Sprintf("death %d, at %q", n, step))
	}
	for _, step := range []string{
		"spliced", "intent stored", "written", "accepted", "rest copied", "move begun", "spool cut", "move ended",
		"log renamed", "log made anew", "close: flushed", "close: removed stdout.spool", "close: removed spool.state",
	} {
		if seen[step] == 0 {
			t.Errorf("nothing died at %q: %v", step, seen)
		}
	}
}

// TestDeathInRecovery lets every successor die too.
func TestDeathInRecovery(t *testing.T) {
	for _, every := range []int{1, 2, 3, 5, 7} {
		s := newScenario(t, scenarioTexts())
		s.dieAt(every, 200)
		deaths := 0
		for s.run() != "" {
			deaths++
		}
		if deaths < 20 {
			t.Errorf("died only %d times", deaths)
		}
		s.check(fmt.Sprintf("death at every step %d", every))
	}
}

// TestDeathInAWrite ends the sink with a part of a batch in the log.
func TestDeathInAWrite(t *testing.T) {
	for _, part := range []float64{0, 0.001, 0.5, 0.999, 1} {
		s := newScenario(t, scenarioTexts())
		writes := 0
		s.l.c.shop.write = func(fd int, p []byte, offset int64) (int, error) {
			if writes++; writes%3 != 0 {
				return unix.Pwrite(fd, p, offset)
			}
			unix.Pwrite(fd, p[:int(part*float64(len(p)))], offset)
			panic(died{"write"})
		}
		deaths := 0
		for s.run() != "" {
			deaths++
		}
		if deaths < 3 {
			t.Errorf("died only %d times", deaths)
		}
		s.check(fmt.Sprintf("death after %v of a batch", part))
	}
}

// TestShortWrites has a kernel that takes little at a time.
func TestShortWrites(t *testing.T) {
	s := newScenario(t, scenarioTexts())
	s.l.c.shop.write = func(fd int, p []byte, offset int64) (int, error) {
		return unix.Pwrite(fd, p[:(len(p)+1)/2], offset)
	}
	if step := s.run(); step != "" {
		t.Fatalf("died at %q", step)
	}
	s.check("short writes")
}
