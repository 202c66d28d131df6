// Package filter hands a compiled seccomp filter from the daemon to a container's init, which installs it. The init
// imports it, and so it knows nothing of profiles.
package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Filter is a compiled profile.
type Filter struct {
	Flags   uint32 // of seccomp(2), SECCOMP_SET_MODE_FILTER
	Program []unix.SockFilter
}

// instruction is the size of struct sock_filter.
const instruction = 8

const maxEncoded = 4 + 4096*instruction // BPF_MAXINSNS

// Encode writes the filter down for Decode.
func (f *Filter) Encode() []byte {
	data := binary.LittleEndian.AppendUint32(nil, f.Flags)
	for _, i := range f.Program {
		data = binary.LittleEndian.AppendUint16(data, i.Code)
		data = append(data, i.Jt, i.Jf)
		data = binary.LittleEndian.AppendUint32(data, i.K)
	}
	return data
}

// Decode reads what Encode has written. The kernel judges the program.
func Decode(data []byte) (*Filter, error) {
	if len(data) < 4+instruction || (len(data)-4)%instruction != 0 || len(data) > maxEncoded {
		return nil, fmt.Errorf("%d bytes are no seccomp filter", len(data))
	}
	f := &Filter{Flags: binary.LittleEndian.Uint32(data), Program: make([]unix.SockFilter, 0, len(data)/instruction)}
	for data = data[4:]; len(data) > 0; data = data[instruction:] {
		f.Program = append(f.Program, unix.SockFilter{
			Code: binary.LittleEndian.Uint16(data), Jt: data[2], Jf: data[3], K: binary.LittleEndian.Uint32(data[4:]),
		})
	}
	return f, nil
}

// File holds an encoded filter for an init to read. Nobody can change it any more.
func File(encoded []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file for a seccomp filter: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp")
	if _, err = file.Write(encoded); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot hand on a seccomp filter: %w", err), file.Close())
	}
	return file, nil
}

// Read reads a filter from the descriptor of a File.
func Read(fd int) (*Filter, error) {
	data := make([]byte, maxEncoded+1)
	n, err := unix.Pread(fd, data, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read the seccomp filter: %w", err)
	}
	return Decode(data[:n])
}

// Install confines the calling thread, and what it executes. The thread has no_new_privs or CAP_SYS_ADMIN.
func (f *Filter) Install() error {
	program := unix.SockFprog{Len: uint16(len(f.Program)), Filter: &f.Program[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.Flags), uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return fmt.Errorf("cannot install the seccomp filter: %w", errno)
	}
	return nil
}
