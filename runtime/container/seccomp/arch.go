package seccomp

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:embed syscalls.txt
var syscallTable string

// x32Bit marks the system calls of the x32 ABI, which has amd64's AUDIT_ARCH.
const x32Bit = 0x40000000

// armPrivate is where the few system calls begin that only 32-bit ARM has, far above all others.
const armPrivate = 0xf0000

// abi is one way of calling the kernel.
type abi struct {
	arch   specs.Arch
	audit  uint32
	column int  // in syscalls.txt
	wide   bool // arguments have 64 bits
	bit    uint32
}

var (
	amd64 = abi{arch: specs.ArchX86_64, audit: unix.AUDIT_ARCH_X86_64, column: 1, wide: true}
	i386  = abi{arch: specs.ArchX86, audit: unix.AUDIT_ARCH_I386, column: 2}
	x32   = abi{arch: specs.ArchX32, audit: unix.AUDIT_ARCH_X86_64, column: 3, bit: x32Bit}
	arm64 = abi{arch: specs.ArchAARCH64, audit: unix.AUDIT_ARCH_AARCH64, column: 4, wide: true}
	arm   = abi{arch: specs.ArchARM, audit: unix.AUDIT_ARCH_ARM, column: 5}
)

// abis are those that a kernel may offer, its own first. All are little-endian.
func abis(goarch string) ([]abi, error) {
	switch goarch {
	case "amd64":
		return []abi{amd64, i386, x32}, nil
	case "arm64":
		return []abi{arm64, arm}, nil
	case "386":
		return []abi{i386}, nil
	case "arm":
		return []abi{arm}, nil
	}
	return nil, fmt.Errorf("podd compiles no seccomp filters for %s", goarch)
}

// filtered are the ABIs that a profile lets a container use: the kernel's own, listed or not, as with runc, and those
// of the profile that this kernel may have.
func filtered(goarch string, listed []specs.Arch) ([]abi, error) {
	all, err := abis(goarch)
	if err != nil {
		return nil, err
	}
	for _, a := range listed {
		if !strings.HasPrefix(string(a), "SCMP_ARCH_") {
			return nil, fmt.Errorf("string %s is not a valid arch for seccomp", a)
		}
	}
	var out []abi
	for i, a := range all {
		if i == 0 || slices.Contains(listed, a.arch) {
			out = append(out, a)
		}
	}
	return out, nil
}

// numbers are an ABI's system calls. The table is read for each profile that is compiled: that is seldom, and a map of it
// would stay in memory for good.
func (a abi) numbers() map[string]uint32 {
	out := map[string]uint32{}
	for line := range strings.Lines(syscallTable) {
		fields := strings.Fields(line)
		if len(fields) != 6 || fields[0] == "#" {
			continue
		}
		if nr, err := strconv.ParseUint(fields[a.column], 10, 32); err == nil {
			out[fields[0]] = uint32(nr)
		}
	}
	return out
}

// multiplexed are calls that 32-bit x86 also makes through socketcall(2) and ipc(2), with a number of their own as the
// first argument and the others in memory.
func (a abi) multiplexed(name string) (through string, call uint64, found bool) {
	if a.arch != specs.ArchX86 {
		return "", 0, false
	}
	sockets := []string{
		"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv", "sendto", "recvfrom",
		"shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
	}
	if i := slices.Index(sockets, name); i >= 0 {
		return "socketcall", uint64(i + 1), true
	}
	ipc := []string{
		1: "semop", 2: "semget", 3: "semctl", 4: "semtimedop", 11: "msgsnd", 12: "msgrcv", 13: "msgget", 14: "msgctl",
		21: "shmat", 22: "shmdt", 23: "shmget", 24: "shmctl",
	}
	if i := slices.Index(ipc, name); i >= 0 {
		return "ipc", uint64(i), true
	}
	return "", 0, false
}
