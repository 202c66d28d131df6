package fdstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/fdstore"
	"podd/runtime/fdstore/fdstoretest"
)

// TestMain is the daemon too, when the test starts it again.
func TestMain(m *testing.M) {
	switch os.Getenv("FDSTORE_ROLE") {
	case "":
		os.Exit(m.Run())
	case "put":
		daemonPut()
	case "list":
		daemonList()
	}
}

// daemonPut leaves a pipe with something in it and waits to be killed.
func daemonPut() {
	store := fdstore.FromEnvironment()
	var p [2]int
	must(unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	_, err := unix.Write(p[1], []byte("left behind"))
	must(err)
	must(store.Put("log/web/0", p[0]))
	must(store.Put("gone", p[0]))
	must(store.Remove("gone"))
	must(store.Notify(fdstore.Ready, fdstore.Status("two\nlines")))
	select {}
}

// daemonList tells what it was given.
func daemonList() {
	store := fdstore.FromEnvironment()
	for _, name := range slices.Sorted(maps.Keys(store.Received())) {
		fd := store.Received()[name]
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		must(err)
		buf := make([]byte, 100)
		n, err := unix.Read(fd, buf)
		must(err)
		fmt.Printf("%s cloexec=%v %q\n", name, flags&unix.FD_CLOEXEC != 0, buf[:n])
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "NOTIFY_") {
			fmt.Println("left in the environment:", v)
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func daemon(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "FDSTORE_ROLE="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestDescriptorsSurviveAKill(t *testing.T) {
	for _, socket := range []string{
		filepath.Join(t.TempDir(), "notify"),
		"@podd-fdstore-test-" + strconv.Itoa(os.Getpid()),
	} {
		supervisor, err := fdstoretest.New(socket)
		if err != nil {
			t.Fatal(err)
		}
		defer supervisor.Close()
		first := daemon(t, "put")
		if err := supervisor.Start(first); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		ready := func(s *fdstoretest.Supervisor) bool { return s.Field("READY") == "1" }
		if err := supervisor.Wait(ctx, ready); err != nil {
			t.Fatal(err)
		}
		if got := supervisor.Field("STATUS"); got != "two lines" {
			t.Errorf("status %q", got)
		}
		if got := supervisor.Field("FDPOLL"); got != "0" {
			t.Errorf("FDPOLL=%q: systemd would drop the pipe at hang-up", got)
		}
		first.Process.Kill()
		first.Wait()
		if got := supervisor.Names(); !slices.Equal(got, []string{"log/web/0"}) {
			t.Fatalf("kept %q", got)
		}
		second := daemon(t, "list")
		out, err := second.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := supervisor.Start(second); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(bufio.NewReader(out))
		if err := second.Wait(); err != nil {
			t.Fatal(err)
		}
		if want := "log/web/0 cloexec=true \"left behind\"\n"; string(got) != want {
			t.Errorf("%s: the next daemon got %q, want %q", socket, got, want)
		}
	}
}

func TestWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	store := fdstore.FromEnvironment()
	if store.Available() || len(store.Received()) != 0 || store.WatchdogInterval() != 0 {
		t.Errorf("available without a service manager: %+v", store)
	}
	for name, err := range map[string]error{
		"Put":    store.Put("a", 0),
		"Remove": store.Remove("a"),
		"Notify": store.Notify(fdstore.Ready),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.Put("a:b", 0); err == nil {
		t.Error("a bad name is only found out with a service manager")
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/nowhere/notify")
	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	store := fdstore.FromEnvironment()
	if got := store.WatchdogInterval(); got != 2*time.Second {
		t.Errorf("watchdog %v", got)
	}
	if err := store.Notify(fdstore.Watchdog); err == nil {
		t.Error("no error from a socket that is not there")
	}
	if v, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
		t.Errorf("NOTIFY_SOCKET=%q is left for the children", v)
	}
}

func TestReloadingCarriesItsTime(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	supervisor, err := fdstoretest.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer supervisor.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	if err := fdstore.FromEnvironment().Notify(fdstore.Reloading); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	told := func(s *fdstoretest.Supervisor) bool { return s.Field("RELOADING") == "1" }
	if err := supervisor.Wait(ctx, told); err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.ParseInt(supervisor.Field("MONOTONIC_USEC"), 10, 64); err != nil || n <= 0 {
		t.Errorf("MONOTONIC_USEC=%q", supervisor.Field("MONOTONIC_USEC"))
	}
}

func TestOddSocketAddress(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "vsock:2:1234")
	if err := fdstore.FromEnvironment().Notify(fdstore.Ready); err == nil {
		t.Error("a vsock address is taken for a path")
	}
}
