package seccomp

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/runtime/container/seccomp/filter"
)

var update = flag.Bool("update", false, "write the golden files")

func compile(t testing.TB, p *specs.LinuxSeccomp, goarch string) *filter.Filter {
	t.Helper()
	f, err := Compile(p, Kernel{Arch: goarch, X32: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// defaultFor is the default profile of a container with these capabilities, for all ABIs of an architecture.
func defaultFor(t *testing.T, goarch string, bounding []string) (*specs.LinuxSeccomp, []abi) {
	t.Helper()
	p, err := runtimeDefault(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: bounding}}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := abis(goarch)
	if err != nil {
		t.Fatal(err)
	}
	p.Architectures = nil
	for _, a := range list {
		p.Architectures = append(p.Architectures, a.arch)
	}
	return p, list
}

// What the default profile refuses an ordinary container, by ABI. The lists were compared with libseccomp 2.5.4's filter of
// Docker's profile, over all numbers and many arguments.
func TestDefaultProfileIsGolden(t *testing.T) {
	ordinary := []string{"CAP_CHOWN", "CAP_SYS_CHROOT", "CAP_NET_RAW"}
	for _, goarch := range []string{"amd64", "arm64", "arm"} {
		p, list := defaultFor(t, goarch, ordinary)
		f := compile(t, p, goarch)
		if len(f.Program) > 700 {
			t.Errorf("the filter has %d instructions", len(f.Program))
		}
		for _, a := range list {
			var b strings.Builder
			numbers := a.numbers()
			for _, name := range slices.SortedFunc(mapKeys(numbers), func(x, y string) int { return cmp.Or(cmp.Compare(numbers[x], numbers[y]), strings.Compare(x, y)) }) {
				if got := run(t, f, numbers[name]|a.bit, a.audit, [6]uint64{}); got != unix.SECCOMP_RET_ALLOW {
					fmt.Fprintf(&b, "%s %s\n", name, spell(got))
				}
			}
			path := filepath.Join("testdata", "default_"+goarch+"_"+string(a.arch)+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("%s differs:\n%s", path, b.String())
			}
		}
	}
}

func mapKeys(m map[string]uint32) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func spell(action uint32) string {
	switch action {
	case unix.SECCOMP_RET_ALLOW:
		return "allow"
	case unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM):
		return "EPERM"
	case errnoNoCall:
		return "ENOSYS"
	case unix.SECCOMP_RET_KILL_THREAD:
		return "kill"
	}
	return fmt.Sprintf("%#x", action)
}

// The sockets of "Copy Fail" (AF_ALG), of virtual machines' hosts, and io_uring are closed.
func TestDefaultProfileCloses(t *testing.T) {
	p, err := runtimeDefault(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		t.Fatal(err)
	}
	p.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
	f := compile(t, p, "amd64")
	for family, want := range map[uint64]string{unix.AF_ALG: "EPERM", unix.AF_VSOCK: "EPERM", unix.AF_INET: "allow", unix.AF_UNIX: "allow", unix.AF_NETLINK: "allow"} {
		if got := spell(run(t, f, 41, unix.AUDIT_ARCH_X86_64, [6]uint64{family})); got != want {
			t.Errorf("socket family %d: %s, want %s", family, got, want)
		}
	}
	const clone, unshare, ioUringSetup, clone3 = 56, 272, 425, 435
	for nr, want := range map[uint32]string{unshare: "EPERM", ioUringSetup: "EPERM", clone3: "ENOSYS"} {
		if got := spell(run(t, f, nr, unix.AUDIT_ARCH_X86_64, [6]uint64{})); got != want {
			t.Errorf("system call %d: %s, want %s", nr, got, want)
		}
	}
	if got := spell(run(t, f, clone, unix.AUDIT_ARCH_X86_64, [6]uint64{unix.CLONE_NEWUSER | 17})); got != "EPERM" {
		t.Errorf("a new user namespace: %s", got)
	}
}

// A rule decides as its words say, for all operators and around all borders of 32-bit words.
func TestConditions(t *testing.T) {
	values := []uint64{0, 1, 5, 0x7fffffff, 0xffffffff, 0x100000000, 0x100000001, 0x1234500000001, 1 << 63, ^uint64(0)}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() uint64 { return values[random.IntN(len(values))] }
	for range 2000 {
		var p specs.LinuxSeccomp
		p.DefaultAction = specs.ActErrno
		p.Architectures = []specs.Arch{specs.ArchX86}
		for range 1 + random.IntN(3) {
			s := specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActAllow}
			for _, index := range random.Perm(6)[:1+random.IntN(3)] {
				s.Args = append(s.Args, specs.LinuxSeccompArg{Index: uint(index), Value: pick(), ValueTwo: pick(), Op: operators[random.IntN(len(operators))]})
			}
			p.Syscalls = append(p.Syscalls, s)
		}
		f := compile(t, &p, "amd64")
		for range 50 {
			args := [6]uint64{pick(), pick(), pick(), pick(), pick(), pick()}
			if got, want := run(t, f, 16, unix.AUDIT_ARCH_X86_64, args) == unix.SECCOMP_RET_ALLOW, allowed(&p, args, ^uint64(0)); got != want {
				t.Fatalf("%+v with %x: %v, want %v", p.Syscalls, args, got, want)
			}
			for i := range args {
				args[i] &= 0xffffffff
			}
			if got, want := run(t, f, 54, unix.AUDIT_ARCH_I386, args) == unix.SECCOMP_RET_ALLOW, allowed(&p, args, 0xffffffff); got != want {
				t.Fatalf("32 bits: %+v with %x: %v, want %v", p.Syscalls, args, got, want)
			}
		}
	}
}

func allowed(p *specs.LinuxSeccomp, args [6]uint64, width uint64) bool {
	return slices.ContainsFunc(p.Syscalls, func(s specs.LinuxSyscall) bool {
		return !slices.ContainsFunc(s.Args, func(c specs.LinuxSeccompArg) bool {
			a, v, two := args[c.Index]&width, c.Value&width, c.ValueTwo&width
			return !map[specs.LinuxSeccompOperator]bool{
				specs.OpEqualTo: a == v, specs.OpNotEqual: a != v, specs.OpGreaterThan: a > v, specs.OpGreaterEqual: a >= v,
				specs.OpLessThan: a < v, specs.OpLessEqual: a <= v, specs.OpMaskedEqual: a&v == two,
			}[c.Op]
		})
	})
}

func TestCompile(t *testing.T) {
	deny := func(names ...string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActErrno}}}
	}
	allow := func(names ...string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActAllow}}}
	}
	with := func(p *specs.LinuxSeccomp, archs ...specs.Arch) *specs.LinuxSeccomp {
		p.Architectures = archs
		return p
	}
	no, yes := uint(unix.ENOSYS), uint(unix.ENOSPC)
	const amd, i386, s390 = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_S390X
	for _, tc := range []struct {
		name string
		p    *specs.LinuxSeccomp
		arch uint32
		nr   uint32
		arg  uint64
		want string
	}{
		{"refused", deny("mkdir"), amd, 83, 0, "EPERM"},
		{"the one before", deny("mkdir"), amd, 82, 0, "allow"},
		{"the one after", deny("mkdir"), amd, 84, 0, "allow"},
		{"newer than a profile that refuses", deny("mkdir"), amd, 600, 0, "allow"},
		{"allowed", allow("read", "mkdir"), amd, 83, 0, "allow"},
		{"not allowed", allow("read", "mkdir"), amd, 82, 0, "EPERM"},
		{"newer than a profile that allows", allow("read", "mkdir"), amd, 84, 0, "ENOSYS"},
		{"no call", allow("read", "mkdir"), amd, 0xffffffff, 0, "EPERM"},
		{"another error", &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &no, Syscalls: allow("mkdir").Syscalls}, amd, 5, 0, "ENOSYS"},
		{"its own error", &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActErrno, ErrnoRet: &yes}}}, amd, 83, 0, "0x5001c"},
		{"logged", &specs.LinuxSeccomp{DefaultAction: specs.ActLog}, amd, 83, 0, "0x7ffc0000"},
		{"killed", &specs.LinuxSeccomp{DefaultAction: specs.ActKillProcess}, amd, 83, 0, "0x80000000"},
		{"32 bits not listed", deny("mkdir"), i386, 1, 0, "kill"},
		{"32 bits", with(deny("mkdir"), specs.ArchX86), i386, 39, 0, "EPERM"},
		{"x32 not listed", deny("mkdir"), amd, 83 | x32Bit, 0, "kill"},
		{"x32", with(deny("mkdir"), specs.ArchX32), amd, 83 | x32Bit, 0, "EPERM"},
		{"x32's own", with(deny("execve"), specs.ArchX32), amd, 520 | x32Bit, 0, "EPERM"},
		{"newer than a profile, x32", with(allow("mkdir"), specs.ArchX32), amd, 84 | x32Bit, 0, "ENOSYS"},
		{"a stranger", with(deny("mkdir"), specs.ArchS390X), s390, 1, 0, "kill"},
		{"through socketcall", with(allow("socket"), specs.ArchX86), i386, 102, 1, "allow"},
		{"another through socketcall", with(allow("socket"), specs.ArchX86), i386, 102, 2, "EPERM"},
		{"refused through socketcall", with(deny("bind"), specs.ArchX86), i386, 102, 2, "EPERM"},
		{"through ipc", with(allow("shmget", "exit_group"), specs.ArchX86), i386, 117, 23, "allow"},
	} {
		f := compile(t, tc.p, "amd64")
		if got := spell(run(t, f, tc.nr, tc.arch, [6]uint64{tc.arg})); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	for want, p := range map[string]*specs.LinuxSeccomp{
		"SCMP_ACT_NOTIFY asks an agent of the node for each call, and podd has none": {DefaultAction: specs.ActNotify},
		"string SCMP_ACT_X is not a valid action for seccomp":                        {DefaultAction: "SCMP_ACT_X"},
		"string amd64 is not a valid arch for seccomp":                               {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"amd64"}},
		"seccomp flag X is not known":                                                {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"X"}},
		"syscalls only have up to 6 arguments": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}},
		}},
		"string  is not a valid operator for seccomp": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 1}}},
		}},
		"more than the kernel's 4096": {DefaultAction: specs.ActAllow, Syscalls: long(700)},
	} {
		if _, err := Compile(p, Kernel{Arch: "amd64", X32: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func long(n int) []specs.LinuxSyscall {
	var out []specs.LinuxSyscall
	for i := range n {
		out = append(out, specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: uint64(i), Op: specs.OpEqualTo}, {Index: 1, Value: uint64(i), Op: specs.OpGreaterThan},
		}})
	}
	return out
}

// A kernel without x32 has the answer already.
func TestNoX32(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX32}, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActAllow}}}
	f, err := Compile(p, Kernel{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	for nr, want := range map[uint32]string{83 | x32Bit: "ENOSYS", 1 | x32Bit: "ENOSYS", 83: "allow", 1: "EPERM"} {
		if got := spell(run(t, f, nr, unix.AUDIT_ARCH_X86_64, [6]uint64{})); got != want {
			t.Errorf("%#x: %s, want %s", nr, got, want)
		}
	}
}

// A filter comes through its file as it was.
func TestFilterFile(t *testing.T) {
	f := compile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, "amd64")
	file, err := filter.File(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := filter.Read(int(file.Fd()))
	if err != nil || got.Flags != f.Flags || !slices.Equal(got.Program, f.Program) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := file.WriteAt([]byte{1}, 0); err == nil {
		t.Error("it can be changed")
	}
	for _, data := range [][]byte{nil, make([]byte, 4), make([]byte, 11), make([]byte, 4+8*4097)} {
		if _, err := filter.Decode(data); err == nil {
			t.Errorf("%d bytes are a filter", len(data))
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		p, err := runtimeDefault(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
		if err != nil {
			b.Fatal(err)
		}
		compile(b, p, "amd64")
	}
}

// BenchmarkInstall is what a start pays in the kernel, on a thread of its own: what is installed stays.
func BenchmarkInstall(b *testing.B) {
	p, err := runtimeDefault(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		b.Fatal(err)
	}
	f, err := Compile(p, Kernel{Arch: runtime.GOARCH})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and it ends with the goroutine
			err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
			if err == nil {
				err = f.Install()
			}
			done <- err
		}()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(f.Program)), "instructions")
}

// The filter says of every number of every ABI what the profile says of its name, read here as it stands: no search, no spans.
func TestDefaultProfileByNumber(t *testing.T) {
	for _, bounding := range [][]string{{"CAP_CHOWN", "CAP_SYS_CHROOT"}, {"CAP_SYS_ADMIN", "CAP_SYS_TIME", "CAP_BPF", "CAP_SYS_PTRACE"}} {
		for _, goarch := range []string{"amd64", "386", "arm64", "arm"} {
			p, list := defaultFor(t, goarch, bounding)
			f := compile(t, p, goarch)
			for _, a := range list {
				byName, conditional, highest := map[string]uint32{}, map[string]bool{}, uint32(0)
				numbers := a.numbers()
				for _, rule := range p.Syscalls {
					action, err := actionOf(rule.Action, rule.ErrnoRet)
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range rule.Names {
						if nr, known := numbers[name]; known && nr < armPrivate {
							highest = max(highest, nr)
						}
						if through, _, found := a.multiplexed(name); found {
							conditional[through] = true
						}
						switch {
						case len(rule.Args) > 0:
							conditional[name] = true
						case action != unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM):
							byName[name] = action
						}
					}
				}
				names := map[uint32]string{}
				for name, nr := range numbers {
					if _, ruled := byName[names[nr]]; !ruled { // some numbers have two names
						names[nr] = name
					}
				}
				for _, from := range []uint32{0, armPrivate} {
					for nr := from; nr < from+700; nr++ {
						name := names[nr]
						want, ruled := byName[name]
						switch {
						case ruled:
						case conditional[name]:
							continue // TestConditions
						case nr > highest:
							want = errnoNoCall
						default:
							want = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
						}
						if got := run(t, f, nr|a.bit, a.audit, [6]uint64{}); got != want {
							t.Errorf("%s on %s, number %d (%s): %s, want %s", a.arch, goarch, nr, name, spell(got), spell(want))
						}
					}
				}
			}
		}
	}
}
