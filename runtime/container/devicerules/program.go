package devicerules

import (
	"encoding/binary"

	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// bpfInstruction is struct bpf_insn of linux/bpf.h before its fields are packed.
type bpfInstruction struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

// The registers of a device program. The kernel passes struct bpf_cgroup_dev_ctx in r1 and takes the answer from r0.
const (
	regAnswer = iota
	regContext
	regKind
	regAccess // the bits of the access that no rule has decided yet
	regMajor
	regMinor
)

const (
	opLoadWord  = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	opMove      = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_K
	opMoveReg   = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X
	opAnd       = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opRightShft = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
	opJumpEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opJumpOther = unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K
	opExit      = unix.BPF_JMP | unix.BPF_EXIT
)

// deviceProgram assembles the program that answers 1 for what the policy allows and 0 for the rest.
func deviceProgram(p devicePolicy) []bpfInstruction {
	prog := []bpfInstruction{
		{code: opLoadWord, dst: regKind, src: regContext},
		{code: opMoveReg, dst: regAccess, src: regKind},
		{code: opAnd, dst: regKind, imm: 0xffff},     // access_type: the kind is the lower half,
		{code: opRightShft, dst: regAccess, imm: 16}, // the access the upper
		{code: opLoadWord, dst: regMajor, src: regContext, off: 4},
		{code: opLoadWord, dst: regMinor, src: regContext, off: 8},
	}
	// The last rule wins, so it comes first.
	for i := len(p.rules) - 1; i >= 0; i-- {
		prog = append(prog, ruleBlock(p.rules[i])...)
	}
	return append(prog, answer(p.allow)...)
}

// ruleBlock answers, or goes on behind its end with the bits of the access that are still open.
func ruleBlock(r deviceRule) []bpfInstruction {
	kind := int32(unix.BPF_DEVCG_DEV_CHAR)
	if r.kind == devices.BlockDevice {
		kind = unix.BPF_DEVCG_DEV_BLOCK
	}
	block := []bpfInstruction{{code: opJumpOther, dst: regKind, imm: kind}}
	if r.major != devices.Wildcard {
		block = append(block, bpfInstruction{code: opJumpOther, dst: regMajor, imm: int32(r.major)})
	}
	if r.minor != devices.Wildcard {
		block = append(block, bpfInstruction{code: opJumpOther, dst: regMinor, imm: int32(r.minor)})
	}
	switch {
	case r.access == accessAll:
	case r.allow: // it decides its bits; the rest is for the rules before it
		block = append(block,
			bpfInstruction{code: opAnd, dst: regAccess, imm: ^int32(r.access)},
			bpfInstruction{code: opJumpOther, dst: regAccess})
	default: // one denied bit is enough
		block = append(block,
			bpfInstruction{code: opMoveReg, dst: regAnswer, src: regAccess},
			bpfInstruction{code: opAnd, dst: regAnswer, imm: int32(r.access)},
			bpfInstruction{code: opJumpEqual, dst: regAnswer})
	}
	block = append(block, answer(r.allow)...)
	for i := range block {
		if block[i].code == opJumpOther || block[i].code == opJumpEqual {
			block[i].off = int16(len(block) - i - 1)
		}
	}
	return block
}

func answer(allow bool) []bpfInstruction {
	var value int32
	if allow {
		value = 1
	}
	return []bpfInstruction{{code: opMove, dst: regAnswer, imm: value}, {code: opExit}}
}

// encodeProgram packs instructions as the kernel of this machine reads them.
func encodeProgram(prog []bpfInstruction, order binary.AppendByteOrder) []byte {
	code := make([]byte, 0, 8*len(prog))
	for _, in := range prog {
		// The registers are two bit fields of one byte: the order of the bytes is that of the fields.
		regs := in.src<<4 | in.dst
		if order.AppendUint16(nil, 1)[0] == 0 {
			regs = in.dst<<4 | in.src
		}
		code = append(code, in.code, regs)
		code = order.AppendUint16(code, uint16(in.off))
		code = order.AppendUint32(code, uint32(in.imm))
	}
	return code
}
