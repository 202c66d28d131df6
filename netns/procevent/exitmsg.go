package procevent

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/unix"
)

// Process connector, linux/connector.h and linux/cn_proc.h.
const (
	cnIdxProc     = 1
	cnValProc     = 1
	procEventExit = 0x80000000
	mcastListen   = 1
	sizeofCnMsg   = 20
	procEvent     = unix.SizeofNlMsghdr + sizeofCnMsg
	offsetWhat    = procEvent
	offsetPid     = procEvent + 16
	offsetTgid    = procEvent + 20
	offsetStatus  = procEvent + 24
	exitEnd       = procEvent + 28
	maxFilterPids = 250 // jumps in classic BPF reach 255 instructions
)

// listenRequest is an nlmsghdr, a cn_msg and one enum proc_cn_mcast_op.
func listenRequest() []byte {
	b := make([]byte, procEvent+4)
	ne := binary.NativeEndian
	ne.PutUint32(b, uint32(len(b)))
	ne.PutUint16(b[4:], unix.NLMSG_DONE)
	ne.PutUint32(b[16:], cnIdxProc)
	ne.PutUint32(b[20:], cnValProc)
	ne.PutUint16(b[32:], 4)
	ne.PutUint32(b[36:], mcastListen)
	return b
}

// exitFilter lets exits of whole processes pass: what is EXIT, pid equals tgid, and pid is one of
// pids if any are named. Of more than the program can compare, all pass.
func exitFilter(pids []int) []unix.SockFilter {
	if len(pids) > maxFilterPids {
		pids = nil
	}
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jeqX = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X
		ret  = unix.BPF_RET | unix.BPF_K
	)
	f := []unix.SockFilter{
		{Code: load, K: offsetWhat},
		{Code: jeq, K: wire(procEventExit), Jt: 1},
		{Code: ret, K: 0},
		{Code: load, K: offsetPid},
		{Code: unix.BPF_MISC | unix.BPF_TAX},
		{Code: load, K: offsetTgid},
		{Code: jeqX, Jt: 1},
		{Code: ret, K: 0},
	}
	for i, pid := range pids {
		f = append(f, unix.SockFilter{Code: jeq, K: wire(uint32(pid)), Jt: uint8(len(pids) - i)})
	}
	if len(pids) > 0 {
		f = append(f, unix.SockFilter{Code: ret, K: 0})
	}
	return append(f, unix.SockFilter{Code: ret, K: 1 << 16})
}

// wire is how BPF sees a number of the kernel's: it loads words in network order.
func wire(v uint32) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	if binary.BigEndian.Uint32(b[:]) == v {
		return v
	}
	return bits.ReverseBytes32(v)
}
