package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Where the kernel's struct seccomp_data has what. Of an argument the lower half comes first: all ABIs here are little-endian.
const (
	offsetNumber    = 0
	offsetArch      = 4
	offsetArguments = 16
)

// farthest is how many instructions a conditional jump can leave out.
const farthest = 255

// assembler writes a program from its end to its begin, so that what is jumped to is there already. What a filter costs at
// each start is its length, which the kernel checks and compiles: answers are shared where they are within reach.
type assembler struct {
	reversed []unix.SockFilter
	answers  map[uint32]int // where each was written last
}

// target is where a decision leads to: an answer, or what is written, by its distance from the end.
type target struct {
	at     int
	answer uint32
}

// answerOf is a target that is written when somebody jumps there.
func answerOf(action uint32) target { return target{at: -1, answer: action} }

func (a *assembler) write(i unix.SockFilter) target {
	a.reversed = append(a.reversed, i)
	return target{at: len(a.reversed)}
}

// within gives a target that is at most limit instructions behind what is written next.
func (a *assembler) within(t target, limit int) target {
	if t.at < 0 {
		at, written := a.answers[t.answer]
		if !written || len(a.reversed)-at > limit {
			at = a.write(unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: t.answer}).at
			a.answers[t.answer] = at
		}
		return target{at: at}
	}
	if distance := len(a.reversed) - t.at; distance > limit {
		return a.write(unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(distance)})
	}
	return t
}

// branch compares what is loaded with k.
func (a *assembler) branch(test uint16, k uint32, yes, no target) target {
	if yes == no {
		return yes
	}
	yes = a.within(yes, farthest-1) // what no needs may come in between
	no = a.within(no, farthest)
	skip := func(t target) uint8 { return uint8(len(a.reversed) - t.at) }
	return a.write(unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: skip(yes), Jf: skip(no)})
}

// step is an instruction before the next ones.
func (a *assembler) step(code uint16, k uint32, next target) target {
	a.within(next, 0)
	return a.write(unix.SockFilter{Code: code, K: k})
}

func (a *assembler) load(offset uint32, next target) target {
	return a.step(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset, next)
}

func (a *assembler) program() []unix.SockFilter {
	slices.Reverse(a.reversed)
	return a.reversed
}

// search finds a number's range by halves.
func (a *assembler) search(spans []span, abi abi) target {
	if len(spans) == 1 {
		return a.decide(spans[0].does, abi.wide)
	}
	half := len(spans) / 2
	upper := a.search(spans[half:], abi)
	return a.branch(unix.BPF_JGE, spans[half].from|abi.bit, upper, a.search(spans[:half], abi))
}

// decide asks one rule after another.
func (a *assembler) decide(v verdicts, wide bool) target {
	next := answerOf(v.last)
	for _, r := range slices.Backward(v.rules) {
		holds := answerOf(r.action)
		for _, c := range slices.Backward(r.conditions) {
			holds = a.compare(c, wide, holds, next)
		}
		next = holds
	}
	return next
}

// compare looks at an argument, of which 32-bit ABIs have only the lower half.
func (a *assembler) compare(c specs.LinuxSeccompArg, wide bool, yes, no target) target {
	at := uint32(offsetArguments + 8*c.Index)
	value, mask := c.Value, ^uint64(0)
	if c.Op == specs.OpMaskedEqual {
		value, mask = c.ValueTwo, c.Value
	}
	half := func(test func(k uint32) target, shift, offset uint32) target {
		out := test(uint32(value >> shift))
		if m := uint32(mask >> shift); m != ^uint32(0) {
			out = a.step(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, m, out)
		}
		return a.load(at+offset, out)
	}
	switch c.Op {
	case specs.OpNotEqual:
		yes, no = no, yes
		fallthrough
	case specs.OpEqualTo, specs.OpMaskedEqual:
		low := half(func(k uint32) target { return a.branch(unix.BPF_JEQ, k, yes, no) }, 0, 0)
		if !wide {
			return low
		}
		return half(func(k uint32) target { return a.branch(unix.BPF_JEQ, k, low, no) }, 32, 4)
	}
	// The others are greater, or greater or equal, or the contrary of one of these.
	if c.Op == specs.OpLessThan || c.Op == specs.OpLessEqual {
		yes, no = no, yes
	}
	test := uint16(unix.BPF_JGT)
	if c.Op == specs.OpGreaterEqual || c.Op == specs.OpLessThan {
		test = unix.BPF_JGE
	}
	low := half(func(k uint32) target { return a.branch(test, k, yes, no) }, 0, 0)
	if !wide {
		return low
	}
	return half(func(k uint32) target {
		return a.branch(unix.BPF_JGT, k, yes, a.branch(unix.BPF_JEQ, k, low, no))
	}, 32, 4)
}
