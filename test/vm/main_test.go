// Package vm works podd on whole machines: Debian 12 with systemd as PID 1, cgroup version 2 and kernels of Debian's,
// booted by qemu. hack/testvm.sh builds what they need and runs it; without PODD_VM_DATA there is nothing to run.
package vm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"podd/test/vm/machine"
)

// ground is what all machines share.
var ground struct {
	guest *machine.Guest
	data  string // the data disk
}

func TestMain(m *testing.M) {
	flag.Parse()
	folder := os.Getenv("PODD_VM_DATA")
	if folder == "" {
		fmt.Println("skipped: make test-vm runs these tests")
		os.Exit(0)
	}
	os.Exit(run(m, folder))
}

func run(m *testing.M, folder string) int {
	dir, err := os.MkdirTemp("/var/tmp", "podd-vm-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(folder, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func prepare(folder, dir string) error {
	repo, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if ground.guest, err = machine.OpenGuest(repo, os.Getenv("PODD_VM_ARCH")); err != nil {
		return err
	}
	ground.data = filepath.Join(dir, "data.ext4")
	return machine.DataDisk(folder, ground.data)
}
