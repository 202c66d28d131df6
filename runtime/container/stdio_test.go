package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// pipesOf are the FIFOs of container "c" in a folder of the test.
func pipesOf(t *testing.T) (*Engine, Pipes) {
	t.Helper()
	e := &Engine{IODir: t.TempDir()}
	if err := os.Mkdir(e.IO("c"), 0o700); err != nil {
		t.Fatal(err)
	}
	return e, e.Pipes("c")
}

// What a container wrote is read whole, also by a podd that opens its ends later, and the container never sees that the daemon
// is gone.
func TestOutputOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	e := &Engine{IODir: t.TempDir()}
	first, err := e.OpenStdio("c")
	if err != nil {
		t.Fatal(err)
	}
	own, err := e.Pipes("c").openContainerEnd(stdoutFIFO)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	first.Close() // the daemon dies
	if _, err := own.WriteString("while nobody reads\n"); err != nil {
		t.Errorf("the container is told of it: %v", err)
	}
	second, err := e.OpenStdio("c")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	buf := make([]byte, 100)
	n, err := unix.Read(int(second.Stdout.Fd()), buf)
	if string(buf[:max(n, 0)]) != "while nobody reads\n" || err != nil {
		t.Errorf("read %q, %v", buf[:max(n, 0)], err)
	}
	if _, err := unix.Read(int(second.Stdout.Fd()), buf); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing more is there: %v", err)
	}
	for _, f := range []*os.File{second.Stdout, second.Stderr} {
		info, err := f.Stat()
		if err != nil || info.Mode().Type() != os.ModeNamedPipe || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	Stdio{}.Close() // nothing is open
}

// A stdin that ends does so when its last writer goes; one that does not is kept open by the container itself.
func TestStdinEnds(t *testing.T) {
	t.Parallel()
	_, p := pipesOf(t)
	writer, err := p.OpenEndingStdin()
	if err != nil {
		t.Fatal(err)
	}
	reader, err := p.openEndingEnd()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if flags, err := unix.FcntlInt(reader.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the container would have a stdin that does not wait: %#x, %v", flags, err)
	}
	if _, err := writer.WriteString("line\n"); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); string(got) != "line\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOpenStdin(t *testing.T) {
	t.Parallel()
	_, p := pipesOf(t)
	if f, err := p.OpenStdin(); f != nil || err != nil {
		t.Errorf("a container without a stdin: %v, %v", f, err)
	}
	own, err := p.openContainerEnd(stdinFIFO)
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.OpenStdin()
	if err != nil || f == nil {
		t.Fatalf("while it runs: %v, %v", f, err)
	}
	_ = f.Close()
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := p.OpenStdin(); f != nil || err != nil {
		t.Errorf("it has closed it: %v, %v", f, err)
	}
	// A link leads somewhere else.
	path := filepath.Join(p.dir, stdinFIFO)
	if err := errors.Join(os.Remove(path), os.Symlink("/dev/null", path)); err != nil {
		t.Fatal(err)
	}
	if f, err := p.OpenStdin(); f != nil || !errors.Is(err, unix.ELOOP) || !strings.HasPrefix(err.Error(), "cannot open "+path) {
		t.Errorf("a link: %v, %v", f, err)
	}
}

// What stands in the place of a FIFO is set aside with a word about it; a link's target stays as it is.
func TestPlaceOfAFIFO(t *testing.T) {
	t.Parallel()
	aim := filepath.Join(t.TempDir(), "aim")
	if err := os.WriteFile(aim, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"a file":   func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":   func(path string) error { return os.Symlink(aim, path) },
		"a socket": func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
	} {
		e, _ := pipesOf(t)
		var lost []string
		e.Damaged = func(_ *atomicfile.Damage, what string) { lost = append(lost, what) }
		if err := put(filepath.Join(e.IO("c"), stdoutFIFO)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			f, err := e.Pipes("c").OpenOutput()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_ = f.Close()
		}
		if want := []string{"what a container writes may be lost until it starts again"}; !slices.Equal(lost, want) {
			t.Errorf("%s: told %q", name, lost)
		}
	}
	if got, err := os.ReadFile(aim); string(got) != "text" || err != nil {
		t.Errorf("the link's target is %q, %v", got, err)
	}
}

// The spool is removed with all that is in it, and the FIFOs stay until everything goes.
func TestRemoveSpool(t *testing.T) {
	t.Parallel()
	e, p := pipesOf(t)
	f, err := p.OpenOutput()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(os.MkdirAll(filepath.Join(e.IO("c"), "spool/deep"), 0o700), os.WriteFile(filepath.Join(e.IO("c"), "log"), nil, 0o600), os.Symlink("/", filepath.Join(e.IO("c"), "link"))); err != nil {
		t.Fatal(err)
	}
	if err := e.RemoveSpool("c"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(e.IO("c"))
	if err != nil || len(entries) != 1 || entries[0].Name() != stdoutFIFO {
		t.Errorf("left are %v, %v", entries, err)
	}
	for range 2 {
		if err := e.RemoveIO("c"); err != nil {
			t.Error(err)
		}
	}
	if err := e.RemoveSpool("c"); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot list the output of container c: ") {
		t.Errorf("nothing is there: %v", err)
	}
}

// The codes are those of POSIX shells, which docker exec has too: 127 for what is not there, 126 for what cannot be executed.
func TestProgramErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		code int // 0: it is about something else
		want string
	}{
		{`exec: "nope": executable file not found in $PATH`, 127, `cannot run "nope": executable file not found in $PATH`},
		{`unable to start container process: error during container init: exec: "/nope": stat /nope: no such file or directory`, 127, `cannot run "/nope": no such file or directory`},
		{`exec: "/etc/passwd": permission denied`, 126, `cannot run "/etc/passwd": permission denied`},
		{`exec: "/etc": is a directory`, 126, `cannot run "/etc": is a directory`},
		{`exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory`, 126, `cannot run "/etc/passwd/x": not a directory`},
		{`exec: "/a \"b\"\n": stat /a "b"` + "\n" + `: no such file or directory`, 127, `cannot run "/a \"b\"\n": no such file or directory`},
		{`exec: "exec: \"x\"": executable file not found in $PATH`, 0, ""},
		{`exec: "/x": exec format error`, 0, ""},
		{`exec: "/x`, 0, ""},
		{`chdir to cwd ("/x"): no such file or directory`, 0, ""},
		{"", 0, ""},
	} {
		got := programError(errors.New(tc.text))
		switch {
		case tc.code == 0 && got != nil && !strings.Contains(tc.text, `exec: \"x\"`):
			t.Errorf("%q: %+v", tc.text, got)
		case tc.code != 0 && (got == nil || got.Code != tc.code || got.Error() != tc.want):
			t.Errorf("%q: %+v, want %d %q", tc.text, got, tc.code, tc.want)
		}
	}
}

// The limit that leaves no room is found in the cgroup or in one above it, and only an error that looks like it is explained so.
func TestProcessesErrors(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "pod", "c")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(at, limit, current string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(filepath.Join(at, "pids.max"), []byte(limit), 0o600), os.WriteFile(filepath.Join(at, "pids.current"), []byte(current), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	eof := errors.New("EOF")
	for _, tc := range []struct {
		name        string
		limit, pod  string // of the container and of its pod
		have, inPod string
		err         error
		want        string
	}{
		{"no limit", "max\n", "max\n", "5\n", "5\n", eof, ""},
		{"room", "100\n", "max\n", "87\n", "87\n", eof, ""},
		{"no room", "100\n", "max\n", "88\n", "88\n", eof, "it has 88 processes and threads of the 100 that it may have"},
		{"none in the pod", "max\n", "64\n", "3\n", "60\n", eof, "it has 60 processes and threads of the 64 that it may have"},
		{"the container's goes first", "20\n", "64\n", "19\n", "60\n", eof, "it has 19 processes and threads of the 20"},
		{"another error", "20\n", "20\n", "20\n", "20\n", errors.New("permission denied"), ""},
		{"no error", "20\n", "20\n", "20\n", "20\n", nil, ""},
		{"damaged", "x\n", "", "20\n", "20\n", eof, ""},
	} {
		write(dir, tc.limit, tc.have)
		write(filepath.Dir(dir), tc.pod, tc.inPod)
		for version, dirs := range map[string]map[string]string{"1": {"pids": dir, "cpu": "/none"}, "2": {"": dir}} {
			got := fmt.Sprint(processesError(tc.err, dirs))
			if tc.want == "" && got != "<nil>" || !strings.HasPrefix(got, tc.want) && tc.want != "" {
				t.Errorf("%s on version %s: %s, want %q", tc.name, version, got, tc.want)
			}
		}
	}
	if err := processesError(eof, nil); err != nil {
		t.Errorf("without cgroups: %v", err)
	}
	for text, want := range map[string]bool{"procReady not received": true, "fork: resource temporarily unavailable": true, "write: broken pipe": true, "exit status 2": true, "no such file": false, "": false} {
		if looksLikeNoProcess(text) != want {
			t.Errorf("%q looks like it: %t", text, !want)
		}
	}
}

// A sentence about a first process leaves out libcontainer's layers, and both what it is and what lies behind it can be asked for.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such device")
	err := error(&runError{fmt.Errorf("unable to start container process: error during container init: error mounting: %w", cause)})
	if err.Error() != "error mounting: no such device" || !errors.Is(err, ErrRun) || !errors.Is(err, cause) || errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

// Probes' commands are known by an empty input that nobody can write to, the same for all.
func TestProbeInput(t *testing.T) {
	t.Parallel()
	f, err := ProbeInput()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ProbeInput(); again != f || err != nil {
		t.Errorf("another one: %v", err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, unix.EPERM) {
		t.Errorf("it can be written to: %v", err)
	}
	if n, err := f.ReadAt(make([]byte, 1), 0); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("it has %d bytes, %v", n, err)
	}
	if target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err != nil || target != "/memfd:podd-probe (deleted)" {
		t.Errorf("it is called %q, %v", target, err)
	}
	if marked(os.Getpid()) || marked(-1) {
		t.Error("a process with another input has the mark")
	}
}
