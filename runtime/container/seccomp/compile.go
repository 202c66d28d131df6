// Package seccomp makes BPF programs of seccomp profiles, and finds the profile that confines a container.
//
// libcontainer leaves that to libseccomp, a C library that it calls in each container's init: the same filter would be
// built again at every start and every exec. Here the daemon compiles a profile once, and an init only installs what
// it is handed (package filter). Rules mean what they mean to runc with libseccomp.
package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/runtime/container/seccomp/filter"
)

// maxProgram is the kernel's limit (BPF_MAXINSNS).
const maxProgram = 4096

// errnoNoCall is what a system call gets that the profile cannot have known.
const errnoNoCall = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// verdicts are the rules of one system call, and what holds where none of them does.
type verdicts struct {
	rules []rule
	last  uint32
}

type rule struct {
	conditions []specs.LinuxSeccompArg // all of them
	action     uint32
}

// Kernel is what a filter is for.
type Kernel struct {
	Arch string // Go's name
	X32  bool   // on amd64: whether there is the x32 ABI
}

// Compile makes the filter of a profile.
func Compile(profile *specs.LinuxSeccomp, kernel Kernel) (*filter.Filter, error) {
	flags, err := flagsOf(profile.Flags)
	if err != nil {
		return nil, err
	}
	standard, err := actionOf(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	list, err := filtered(kernel.Arch, profile.Architectures)
	if err != nil {
		return nil, err
	}
	a := &assembler{answers: map[uint32]int{}}
	// What is left over is of an architecture that the profile does not list.
	next := answerOf(unix.SECCOMP_RET_KILL_THREAD)
	for _, own := range slices.Backward(list) {
		if own.bit != 0 {
			continue // within the section of the other ABI of its architecture
		}
		spans, err := spansOf(profile, standard, own)
		if err != nil {
			return nil, err
		}
		section := a.search(spans, own)
		switch i := slices.IndexFunc(list, func(other abi) bool { return other.audit == own.audit && other.bit != 0 }); {
		case i >= 0 && !kernel.X32:
			// It would say so itself. To say what the profile does would make the filter a third longer.
			section = a.branch(unix.BPF_JGE, list[i].bit, answerOf(errnoNoCall), section)
		case i >= 0:
			spans, err := spansOf(profile, standard, list[i])
			if err != nil {
				return nil, err
			}
			section = a.branch(unix.BPF_JGE, list[i].bit, a.search(spans, list[i]), section)
		case own.arch == specs.ArchX86_64:
			// No call at all, as a tracer leaves it, is none of x32's.
			foreign := a.branch(unix.BPF_JEQ, ^uint32(0), answerOf(standard), answerOf(unix.SECCOMP_RET_KILL_THREAD))
			section = a.branch(unix.BPF_JGE, x32Bit, foreign, section)
		}
		next = a.branch(unix.BPF_JEQ, own.audit, a.load(offsetNumber, section), next)
	}
	a.load(offsetArch, next)
	if len(a.reversed) > maxProgram {
		return nil, fmt.Errorf("the profile needs a filter of %d instructions, more than the kernel's %d", len(a.reversed), maxProgram)
	}
	return &filter.Filter{Flags: flags, Program: a.program()}, nil
}

// span is a range of an ABI's numbers, up to the next one, for which the same holds.
type span struct {
	from uint32
	does verdicts
}

func spansOf(profile *specs.LinuxSeccomp, standard uint32, a abi) ([]span, error) {
	calls, highest, err := verdictsOf(profile, standard, a)
	if err != nil {
		return nil, err
	}
	unknown := standard
	if highest >= 0 && !permissive(profile.DefaultAction) {
		// Programs ask for new system calls and fall back to older ones if the kernel has none of that name: they are told
		// so of all that are newer than the profile, as runc has it.
		unknown = errnoNoCall
	}
	points := []uint32{0, uint32(highest + 1)}
	for nr := range calls {
		points = append(points, nr, nr+1)
	}
	slices.Sort(points)
	var spans []span
	for _, nr := range slices.Compact(points) {
		does, known := calls[nr]
		switch {
		case known:
		case int64(nr) > highest:
			does.last = unknown
		default:
			does.last = standard
		}
		if n := len(spans); n == 0 || len(does.rules) > 0 || len(spans[n-1].does.rules) > 0 || spans[n-1].does.last != does.last {
			spans = append(spans, span{nr, does})
		}
	}
	return spans, nil
}

// verdictsOf sorts a profile's rules by system call, and says which number is the highest that the profile knows.
// Names that this ABI has not are left out, as libseccomp does.
func verdictsOf(profile *specs.LinuxSeccomp, standard uint32, a abi) (calls map[uint32]verdicts, highest int64, err error) {
	numbers := a.numbers()
	calls, highest = map[uint32]verdicts{}, -1
	settled := map[uint32]bool{} // by a rule without conditions: it is stronger than any that has some
	add := func(nr uint32, conditions []specs.LinuxSeccompArg, action uint32) {
		v, known := calls[nr]
		if !known {
			v.last = standard
		}
		switch {
		case settled[nr]:
		case len(conditions) == 0:
			v, settled[nr] = verdicts{last: action}, true
		default:
			v.rules = append(v.rules, rule{conditions, action})
		}
		calls[nr] = v
	}
	for _, s := range profile.Syscalls {
		action, err := actionOf(s.Action, s.ErrnoRet)
		if err != nil {
			return nil, 0, err
		}
		alternatives, err := conditionsOf(s.Args)
		if err != nil {
			return nil, 0, err
		}
		for _, name := range s.Names {
			if name == "" {
				return nil, 0, errors.New("empty string is not a valid syscall")
			}
			nr, known := numbers[name]
			if known && nr < armPrivate {
				highest = max(highest, int64(nr))
			}
			if action == standard {
				continue
			}
			for _, conditions := range alternatives {
				if known {
					add(nr, conditions, action)
				}
				// What is said of the other arguments cannot be seen there: permission is not given, a refusal holds for all.
				if through, call, found := a.multiplexed(name); found && (len(conditions) == 0 || action != unix.SECCOMP_RET_ALLOW) {
					add(numbers[through], []specs.LinuxSeccompArg{{Index: 0, Value: call, Op: specs.OpEqualTo}}, action)
				}
			}
		}
	}
	return calls, highest, nil
}

// conditionsOf are the conditions of which one set must hold. Several about one argument are alternatives, as runc has it.
func conditionsOf(args []specs.LinuxSeccompArg) ([][]specs.LinuxSeccompArg, error) {
	counts := [6]int{}
	for _, arg := range args {
		if arg.Index >= uint(len(counts)) {
			return nil, fmt.Errorf("syscalls only have up to %d arguments", len(counts))
		}
		if !slices.Contains(operators, arg.Op) {
			return nil, fmt.Errorf("string %s is not a valid operator for seccomp", arg.Op)
		}
		counts[arg.Index]++
	}
	if slices.Max(counts[:]) <= 1 {
		return [][]specs.LinuxSeccompArg{args}, nil
	}
	var out [][]specs.LinuxSeccompArg
	for _, arg := range args {
		out = append(out, []specs.LinuxSeccompArg{arg})
	}
	return out, nil
}

var operators = []specs.LinuxSeccompOperator{
	specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
}

// permissive: with these, runc leaves calls that the profile does not know to the default.
func permissive(action specs.LinuxSeccompAction) bool {
	return action == specs.ActAllow || action == specs.ActLog || action == specs.ActTrace
}

// actionOf is the filter's answer, without an error number in the profile with EPERM.
func actionOf(action specs.LinuxSeccompAction, errnoRet *uint) (uint32, error) {
	errno := uint32(unix.EPERM)
	if errnoRet != nil {
		errno = uint32(*errnoRet) & unix.SECCOMP_RET_DATA
	}
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | errno, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | errno, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActNotify:
		return 0, errors.New("SCMP_ACT_NOTIFY asks an agent of the node for each call, and podd has none; use SCMP_ACT_ERRNO or SCMP_ACT_LOG")
	}
	return 0, fmt.Errorf("string %s is not a valid action for seccomp", action)
}

func flagsOf(flags []specs.LinuxSeccompFlag) (uint32, error) {
	if flags == nil {
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil // runc's default
	}
	var out uint32
	for _, f := range flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			out |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			out |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagWaitKillableRecv: // one thread, and no agent
		default:
			return 0, fmt.Errorf("seccomp flag %s is not known", f)
		}
	}
	return out, nil
}
