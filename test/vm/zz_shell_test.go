package vm

import (
	"os"
	"testing"
	"time"

	"podd/test/vm/machine"
)

func TestShell(t *testing.T) {
	script := os.Getenv("VMSH")
	if script == "" {
		t.Skip()
	}
	vm := newVM(t, machine.Options{Kernel: os.Getenv("VMKERNEL"), Append: os.Getenv("VMAPPEND")})
	vm.boot()
	r := vm.Run(machine.Command{Argv: []string{"bash", "-c", script}, Limit: 5 * time.Minute})
	t.Logf("%d %v\n%s\n%s", r.Code, r.Err, r.Stdout, r.Stderr)
}
