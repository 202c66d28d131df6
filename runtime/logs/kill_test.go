package logs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is also the daemon that TestKill starts and kills: its descriptors 3 and
// 4 are the streams, and 5 is told when it has begun.
func TestMain(m *testing.M) {
	if path := os.Getenv("LOGS_DAEMON"); path != "" {
		if err := drainUntilEnd(path, os.Getenv("LOGS_SPOOL")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func drainUntilEnd(path, spool string) error {
	unix.Write(5, []byte{1})
	s, err := OpenSink(SinkConfig{Path: path, SpoolDir: spool, MaxSize: 256 << 10, MaxFiles: 1 << 20})
	if err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: 3, Events: unix.POLLIN}, {Fd: 4, Events: unix.POLLIN}}
	for fds[0].Fd >= 0 || fds[1].Fd >= 0 {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return err
		}
		for i := range fds {
			if fds[i].Fd < 0 || fds[i].Revents == 0 {
				continue
			}
			eof, err := s.Drain(Stream(i), int(fds[i].Fd), nil)
			if err != nil {
				return err
			}
			if eof {
				fds[i].Fd = -1
			}
		}
	}
	return s.Close()
}

// container writes numbered lines to a FIFO, as many bytes as it is allowed.
type container struct {
	f       *os.File
	name    string
	allowed chan int
	random  *rand.Rand
	said    bytes.Buffer
	line    int
}

func (c *container) run(t *testing.T) {
	defer c.f.Close()
	var unsaid []byte
	for n := range c.allowed {
		for n > 0 {
			if len(unsaid) == 0 {
				unsaid = c.next()
			}
			// Any number of bytes: a write ends where it likes.
			piece := unsaid[:min(len(unsaid), 1+c.random.IntN(9000))]
			if _, err := c.f.Write(piece); err != nil {
				t.Error(err)
				return
			}
			c.said.Write(piece)
			unsaid, n = unsaid[len(piece):], n-len(piece)
		}
	}
}

// next makes some more lines; now and then one is longer than a record.
func (c *container) next() []byte {
	var out bytes.Buffer
	for range 1 + c.random.IntN(200) {
		fill := c.random.IntN(60)
		if c.random.IntN(300) == 0 {
			fill = c.random.IntN(3 * maxContent)
		}
		fmt.Fprintf(&out, "%s %d %s\n", c.name, c.line, strings.Repeat("x", fill))
		c.line++
	}
	return out.Bytes()
}

// TestKill kills a daemon that drains two FIFOs, whose ends somebody else keeps as
// the service manager does, hundreds of times.
func TestKill(t *testing.T) {
	kills := 400
	if testing.Short() {
		kills = 40
	}
	dir, spool := t.TempDir(), filepath.Join(onTmpfs(t), "spool")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ends, containers := startContainers(t, dir, seed)
	var writers sync.WaitGroup
	for _, c := range containers {
		writers.Go(func() { c.run(t) })
	}
	daemon := daemonStarter(t, filepath.Join(dir, "web", "0.log"), spool, ends)
	intents, moves := 0, 0
	for range kills {
		for _, c := range containers {
			select {
			case c.allowed <- random.IntN(200 << 10):
			default:
			}
		}
		cmd := daemon()
		// The moment of death is the subject of this test, not a wait.
		time.Sleep(time.Duration(random.IntN(2500)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("the daemon ended by itself: %v", err)
		}
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the daemon ended by itself: %v", err)
		}
		if memory, p, err := mapState(spool, nil); err == nil {
			if p.load().length > 0 {
				intents++
			}
			if p.load().move > 0 {
				moves++
			}
			unix.Munmap(memory)
		}
	}
	t.Logf("killed %d times, %d of them in a write to the log, %d in a move of the spool", kills, intents, moves)
	for _, c := range containers {
		close(c.allowed)
	}
	last := daemon()
	writers.Wait()
	if err := last.Wait(); err != nil {
		t.Fatalf("the last daemon: %v", err)
	}
	for _, c := range containers {
		checkSaid(t, filepath.Join(dir, "web"), c)
	}
	if _, err := os.Stat(spool); err == nil {
		t.Error("the spool is left")
	}
}

// startContainers makes the FIFOs and gives their read ends.
func startContainers(t *testing.T, dir string, seed uint64) (ends []*os.File, containers []*container) {
	t.Helper()
	for st := Stdout; st < streams; st++ {
		path := filepath.Join(dir, st.String())
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		end, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end.Close() })
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
		containers = append(containers, &container{
			f: f, name: st.String(), allowed: make(chan int, 1),
			random: rand.New(rand.NewPCG(seed, uint64(st)+1)),
		})
	}
	return ends, containers
}

// daemonStarter returns a function that starts a daemon and waits until it runs.
func daemonStarter(t *testing.T, path, spool string, ends []*os.File) func() *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func() *exec.Cmd {
		begun, tell, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer begun.Close()
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOGS_DAEMON="+path, "LOGS_SPOOL="+spool)
		cmd.Stderr = os.Stderr
		cmd.ExtraFiles = append(append(cmd.ExtraFiles, ends...), tell)
		err = cmd.Start()
		tell.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(begun, make([]byte, 1)); err != nil {
			t.Fatalf("the daemon does not begin: %v", err)
		}
		return cmd
	}
}

// checkSaid holds what is read back against what the container said.
func checkSaid(t *testing.T, dir string, c *container) {
	t.Helper()
	var got bytes.Buffer
	if err := Read(t.Context(), dir, ReadOptions{Stream: c.name}, &got); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s said %d bytes, about %d lines", c.name, c.said.Len(), c.line)
	if bytes.Equal(got.Bytes(), c.said.Bytes()) {
		return
	}
	t.Errorf("%s: read %d bytes of %d", c.name, got.Len(), c.said.Len())
	g, w := bufio.NewScanner(&got), bufio.NewScanner(&c.said)
	for n := 0; w.Scan(); n++ {
		if !g.Scan() || g.Text() != w.Text() {
			t.Fatalf("line %d is %.60q, want %.60q", n, g.Text(), w.Text())
		}
	}
}
