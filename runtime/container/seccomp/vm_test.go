package seccomp

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"

	"podd/runtime/container/seccomp/filter"
)

// run asks a filter as the kernel does. The machine reads its input in network order.
func run(t testing.TB, f *filter.Filter, nr, arch uint32, args [6]uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[offsetNumber:], nr)
	binary.BigEndian.PutUint32(data[offsetArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offsetArguments+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[offsetArguments+8*i+4:], uint32(a>>32))
	}
	// Not bpf.NewVM, which takes answers for lengths of packets, and checks the program each time.
	var acc uint32
	for at := 0; ; at++ {
		i := f.Program[at]
		jump := func(yes bool) {
			if yes {
				at += int(i.Jt)
			} else {
				at += int(i.Jf)
			}
		}
		raw := bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K}
		switch i := raw.Disassemble().(type) {
		case bpf.LoadAbsolute:
			acc = binary.BigEndian.Uint32(data[i.Off:])
		case bpf.ALUOpConstant:
			if i.Op != bpf.ALUOpAnd {
				t.Fatalf("instruction %v", i)
			}
			acc &= i.Val
		case bpf.Jump:
			at += int(i.Skip)
		case bpf.JumpIf:
			switch raw.Op & 0xf0 {
			case 0x10:
				jump(acc == raw.K)
			case 0x20:
				jump(acc > raw.K)
			case 0x30:
				jump(acc >= raw.K)
			default:
				t.Fatalf("instruction %v", i)
			}
		case bpf.RetConstant:
			return i.Val
		default:
			t.Fatalf("instruction %v", i)
		}
	}
}
