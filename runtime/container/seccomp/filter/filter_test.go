package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ret is a program that answers every system call in the same way.
func ret(action uint32) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: action}}
}

// What was encoded is what comes out, through a file as well.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for _, length := range []int{1, 2, 3, 100, 4095, 4096} { // BPF_MAXINSNS is 4096
		f := &Filter{Flags: random.Uint32()}
		for range length {
			f.Program = append(f.Program, unix.SockFilter{Code: uint16(random.Uint32()), Jt: uint8(random.Uint32()), Jf: uint8(random.Uint32()), K: random.Uint32()})
		}
		data := f.Encode()
		if len(data) != 4+8*length {
			t.Errorf("%d instructions are %d bytes", length, len(data))
		}
		if got, err := Decode(data); err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%d instructions: %v", length, err)
		}
		file, err := File(data)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // from its beginning each time
			if got, err := Read(int(file.Fd())); err != nil || !reflect.DeepEqual(got, f) {
				t.Errorf("%d instructions by a file: %v", length, err)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// struct sock_filter of linux/filter.h: the code, two jumps, a constant; the machines that podd runs on are little-endian.
func TestEncoding(t *testing.T) {
	t.Parallel()
	f := &Filter{Flags: 0x01020304, Program: []unix.SockFilter{{Code: 0x0506, Jt: 7, Jf: 8, K: 0x090a0b0c}}}
	if got, want := f.Encode(), []byte{4, 3, 2, 1, 6, 5, 7, 8, 0xc, 0xb, 0xa, 9}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 1, 4, 11, 13, 19, 21, 4 + 8*4097} {
		if f, err := Decode(make([]byte, length)); err == nil || err.Error() != fmt.Sprintf("%d bytes are no seccomp filter", length) {
			t.Errorf("%d bytes: %v, %v", length, f, err)
		}
	}
	file, err := File(make([]byte, 4+8*4097))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if f, err := Read(int(file.Fd())); err == nil {
		t.Errorf("a file that is too large was cut: %d instructions", len(f.Program))
	}
	if _, err := Read(-1); !errors.Is(err, unix.EBADF) || !strings.HasPrefix(err.Error(), "cannot read the seccomp filter: ") {
		t.Errorf("no descriptor: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add((&Filter{Program: ret(0)}).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if filter, err := Decode(data); err == nil && !slices.Equal(filter.Encode(), data) {
			t.Errorf("%v became %v", data, filter.Encode())
		}
	})
}

// Nobody who has the descriptor, a container's init among them, can change what was decided, and no command inherits it.
func TestFileIsSealed(t *testing.T) {
	t.Parallel()
	data := (&Filter{Program: ret(unix.SECCOMP_RET_ALLOW)}).Encode()
	file, err := File(data)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte{1}, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it can be written to: %v", err)
	}
	for _, size := range []int64{0, int64(len(data)) + 8} {
		if err := file.Truncate(size); !errors.Is(err, unix.EPERM) {
			t.Errorf("it can be made %d bytes long: %v", size, err)
		}
	}
	if again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.O_RDWR, 0); err == nil {
		if _, err := again.Write([]byte{1}); !errors.Is(err, unix.EPERM) {
			t.Errorf("opened anew it can be written to: %v", err)
		}
		_ = again.Close()
	}
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("its seals can be changed: %v", err)
	}
	if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a command inherits it: %d, %v", flags, err)
	}
}

// confined runs fn on a thread of its own, which ends with it.
func confined(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: a thread stays confined
		fn()
	}()
	<-done
}

// A filter confines the thread that installs it, and no other.
func TestInstall(t *testing.T) {
	t.Parallel()
	// Without privileges it takes no_new_privs.
	const getpriority = unix.SYS_GETPRIORITY
	deny := &Filter{Program: []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: getpriority, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EXDEV)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}}
	ask := func() error {
		_, _, errno := unix.RawSyscall(getpriority, unix.PRIO_PROCESS, 0, 0)
		if errno == 0 {
			return nil
		}
		return errno
	}
	confined(func() {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Error(err)
			return
		}
		if err := deny.Install(); err != nil {
			t.Error(err)
			return
		}
		if err := ask(); !errors.Is(err, unix.EXDEV) {
			t.Errorf("the call was answered with %v", err)
		}
	})
	if err := ask(); err != nil {
		t.Errorf("another thread is confined: %v", err)
	}
}

// The kernel judges: a program that it does not take confines nobody.
func TestInstallRefused(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*Filter{
		"no end":          {Program: []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}},
		"a jump too far":  {Program: append([]unix.SockFilter{{Code: unix.BPF_JMP | unix.BPF_JA, K: 9}}, ret(unix.SECCOMP_RET_ALLOW)...)},
		"unknown flags":   {Flags: 1 << 31, Program: ret(unix.SECCOMP_RET_ALLOW)},
		"an unknown code": {Program: []unix.SockFilter{{Code: 0xffff}}},
	} {
		confined(func() {
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				t.Error(err)
				return
			}
			if err := f.Install(); !errors.Is(err, unix.EINVAL) || !strings.HasPrefix(err.Error(), "cannot install the seccomp filter: ") {
				t.Errorf("%s: %v", name, err)
			}
			if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil && mode == unix.SECCOMP_MODE_FILTER && !inherited() {
				t.Errorf("%s: it confines", name)
			}
		})
	}
}

// inherited says that all of this process is confined already.
func inherited() bool {
	status, _ := os.ReadFile("/proc/self/status")
	return !strings.Contains(string(status), "\nSeccomp:\t0\n")
}
