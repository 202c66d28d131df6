package devicerules

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceProgramFD is a program that is attached to a cgroup. Its owner closes fd.
type deviceProgramFD struct {
	fd   int
	name string
}

// The structs are those of union bpf_attr in linux/bpf.h; the kernel takes what lies behind them for zero.
type bpfLoadAttr struct {
	progType, insnCount uint32
	insns, license      uint64
	_                   [24]byte // log_level, log_size, log_buf, kern_version, prog_flags
	name                [16]byte
}

type bpfAttachAttr struct {
	target, prog, attachType, flags uint32
}

// bpfQueryAttr is longer than what is asked for: kernels from 6.17 on write the revision, its last eight bytes,
// whatever size they are told.
type bpfQueryAttr struct {
	target, attachType uint32
	_                  [8]byte // query_flags, attach_flags
	progIDs            uint64
	count              uint32
	_                  [36]byte
}

type bpfInfoAttr struct {
	fd, length uint32
	info       uint64
}

// bpfProgInfo is struct bpf_prog_info as far as the name.
type bpfProgInfo struct {
	_    [8]uint64
	name [16]byte
}

// queryDevicePrograms opens the device programs of the cgroup itself, not of its parents.
func queryDevicePrograms(cgroup int) ([]deviceProgramFD, error) {
	ids, count, err := queryProgramIDs(cgroup)
	if err != nil {
		return nil, err
	}
	var programs []deviceProgramFD
	for _, id := range ids[:count] {
		if p, err := openProgram(id); err == nil {
			programs = append(programs, p)
		}
		// It has gone meanwhile, or a security module hides it: not ours in either case.
	}
	return programs, nil
}

// BPF_CGROUP_MAX_PROGS programs are the most that a cgroup has.
func queryProgramIDs(cgroup int) (ids [64]uint32, count uint32, err error) {
	list := new([64]uint32)
	attr := bpfQueryAttr{target: uint32(cgroup), attachType: unix.BPF_CGROUP_DEVICE, count: uint32(len(list))}
	var pin runtime.Pinner
	defer pin.Unpin()
	attr.progIDs = bpfAddress(&pin, list)
	_, err = bpfCall(unix.BPF_PROG_QUERY, &attr)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		// The query has nothing that a kernel which knows device programs could call invalid.
		return ids, 0, fmt.Errorf("%w (%w)", errNoDevicePrograms, err)
	case err != nil:
		return ids, 0, fmt.Errorf("cannot list attached programs: %w", err)
	}
	return *list, attr.count, nil
}

func openProgram(id uint32) (deviceProgramFD, error) {
	fd, err := bpfCall(unix.BPF_PROG_GET_FD_BY_ID, &struct{ id uint32 }{id})
	if err != nil {
		return deviceProgramFD{}, err
	}
	info := new(bpfProgInfo)
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := bpfInfoAttr{fd: uint32(fd), length: uint32(unsafe.Sizeof(*info)), info: bpfAddress(&pin, info)}
	if _, err := bpfCall(unix.BPF_OBJ_GET_INFO_BY_FD, &attr); err != nil {
		unix.Close(fd)
		return deviceProgramFD{}, err
	}
	name, _, _ := bytes.Cut(info.name[:], []byte{0})
	return deviceProgramFD{fd: fd, name: string(name)}, nil
}

// loadDeviceProgram gives the program to the verifier.
func loadDeviceProgram(code []byte, name string) (int, error) {
	license := []byte("Apache-2.0\x00")
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := bpfLoadAttr{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE, insnCount: uint32(len(code) / 8),
		insns: bpfAddress(&pin, &code[0]), license: bpfAddress(&pin, &license[0]),
	}
	copy(attr.name[:len(attr.name)-1], name)
	fd, err := retryInterrupted(&attr)
	if errors.Is(err, unix.EPERM) {
		// Before Linux 5.11 programs count as locked memory.
		restore := raiseLockedMemory()
		defer restore()
		fd, err = retryInterrupted(&attr)
	}
	return fd, err
}

// retryInterrupted loads again when a signal has met the verifier, as those of Go's scheduler do.
func retryInterrupted(attr *bpfLoadAttr) (fd int, err error) {
	const attempts = 32
	for range attempts {
		if fd, err = bpfCall(unix.BPF_PROG_LOAD, attr); !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	return fd, err
}

// raiseLockedMemory lifts the limit until restore: containers that start later inherit what it is then.
func raiseLockedMemory() (restore func()) {
	var old unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old) != nil {
		return func() {}
	}
	for _, limit := range []uint64{unix.RLIM_INFINITY, old.Max} {
		if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}) == nil {
			break
		}
	}
	return func() { _ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old) }
}

func attachDeviceProgram(cgroup, prog int) error {
	_, err := bpfCall(unix.BPF_PROG_ATTACH, &bpfAttachAttr{
		target: uint32(cgroup), prog: uint32(prog), attachType: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI,
	})
	return err
}

func detachDeviceProgram(cgroup, prog int) error {
	_, err := bpfCall(unix.BPF_PROG_DETACH, &bpfAttachAttr{
		target: uint32(cgroup), prog: uint32(prog), attachType: unix.BPF_CGROUP_DEVICE,
	})
	return err
}

// bpfAddress is a pointer as the kernel's structs hold it, which the garbage collector does not see.
func bpfAddress[T any](pin *runtime.Pinner, p *T) uint64 {
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

func bpfCall[T any](cmd uintptr, attr *T) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
