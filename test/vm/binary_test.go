package vm

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"podd/test/vm/machine"
)

// The tests of the built binary and those of the packages that speak to the kernel, on cgroup version 2 and on Debian's
// stable kernel. Each is a subtest here with its verdict and what it wrote. Of the binary's, those that work the kernel:
// with an emulated processor all of them take a quarter of an hour; PODD_VM_FULL=1 runs them.
func TestSuite(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{MemoryMB: 2048})
	vm.boot()
	for _, c := range []struct{ pkg, run string }{
		{"cgroups", ""},
		{"netns", ""},
		{"runtime/container", ""},
		{"runtime/volume", ""},
		{"test/e2e/lifecycle", "KillLoopWithFDStore|ExitCodes|KilledFromOutside|OOMKilled|Limits|Reboot|RemovalLeavesNothing|" +
			"ObeysTerm|StopOfTheDaemonEndsThePods|NothingIsLeft"},
		{"test/e2e/storage", "QuotaBoard"},
		{"test/e2e/security", "Confinement|UserNamespace|UserNamespaceVolumes|UserNamespaceWithoutMappedMemory"},
		{"test/e2e/cli", "Exec"},
	} {
		if only := os.Getenv("PODD_VM_RUN"); only != "" {
			c.run = only
		}
		t.Run(strings.ReplaceAll(c.pkg, "/", "-"), func(t *testing.T) { vm.on(t).inside(c.pkg, c.run) })
	}
}

// on is the machine seen from a subtest.
func (vm *VM) on(t *testing.T) *VM { return &VM{Machine: vm.Machine, t: t} }

// outside are tests for which a machine is no other place: the README's commands need the whole repository and a compiler,
// the others only time.
const outside = "Readme|WriteIsAtomic|RemoveDeepTree|RemoveVeryDeepTree|ManyNames|LeasesNeverCollide|PodsThatComeMeanwhileAreNoOverlap|HostPortsOfManyAtOnce|AwaitProgram|ExecRightAfterTheStart"

// inside runs a package's test binary in the machine.
func (vm *VM) inside(pkg, run string) {
	vm.t.Helper()
	limit := 8 * time.Minute
	argv := []string{"env", "-C", "/data/tests/" + pkg, "./run.test", "-test.v=test2json", "-test.parallel=4", "-test.skip=^Test(" + outside + ")$"}
	if os.Getenv("PODD_VM_FULL") != "" {
		run, limit = "", 30*time.Minute
	}
	if run != "" {
		argv = append(argv, "-test.run=^Test("+run+")$")
	}
	var results machine.Results
	r := vm.Run(machine.Command{
		Argv: append(argv, "-test.timeout="+limit.String()),
		Env:  []string{"PODD_BIN=/data/bin/podd", "PODD_TEST_BINS=/data/bin", "PODD_TEST_LIMIT=3m"},
		Line: func(line string) { results.Line(line); progress(line) }, Limit: limit + 30*time.Second,
	})
	for _, o := range results.Tests {
		passOn(vm.t, o)
	}
	if r.Err != nil || r.Code != 0 && !vm.t.Failed() || len(results.Tests) == 0 && os.Getenv("PODD_VM_RUN") == "" {
		vm.t.Errorf("%s: exit %d, %v\n%s\n%s", pkg, r.Code, r.Err, strings.Join(results.Loose, "\n"), r.Stderr)
	}
}

// progress shows with -v what goes on in the machine; the tests' own results come when all have ended.
func progress(line string) {
	if testing.Verbose() && strings.HasPrefix(line, "\x16--- ") {
		fmt.Println("        in the machine:", line[1:])
	}
}

// passOn makes a subtest of what a test in the machine came to.
func passOn(t *testing.T, o *machine.Outcome) {
	name := o.Name[strings.LastIndex(o.Name, "/")+1:]
	t.Run(name, func(t *testing.T) {
		for _, sub := range o.Subtests {
			passOn(t, sub)
		}
		said := strings.Join(o.Output, "\n")
		switch o.Verdict {
		case "PASS":
			t.Logf("%s s in the machine", o.Seconds)
		case "SKIP":
			t.Skip(said)
		case "FAIL":
			t.Errorf("after %s s in the machine:\n%s", o.Seconds, said)
		default:
			t.Errorf("it did not end:\n%s", said)
		}
	})
}
