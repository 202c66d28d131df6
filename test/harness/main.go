// Package harness works the built binary against a real kernel, from outside: command line, folders, socket. Everything
// runs in mount, network and PID namespaces and in a cgroup of its own, so that it runs anywhere as root and leaves
// nothing behind. Each test has a network namespace, folders and a daemon of its own.
//
// The rows of the official end-to-end list that a test covers are named in its comment as "e2e: …".
package harness

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"podd/test/lab"
)

// Suite is what all tests share: the binaries under test and the cgroup that everything is in.
var Suite struct {
	Podd, standin, dir string
	Cgroup             *lab.Cgroup
}

// Main runs the tests of a package in namespaces and a cgroup of their own, and ends the process.
func Main(m *testing.M) {
	if os.Getenv(StarterEnv) != "" {
		startBadly()
	}
	flag.Parse()
	if os.Geteuid() != 0 {
		fmt.Println("skipped: the tests of the built binary need root for namespaces, cgroups and mounts")
		os.Exit(0)
	}
	Suite.Cgroup = lab.Isolate(func(code int) int { return code })
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("/var/tmp", "podd-suite-"+lab.RunName()+"-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build makes the binaries: podd as make build does unless PODD_BIN names one.
func build(dir string) error {
	Suite.Podd, Suite.standin, Suite.dir = os.Getenv("PODD_BIN"), filepath.Join(dir, "standin"), dir
	if Suite.Podd == "" {
		Suite.Podd = filepath.Join(dir, "podd")
		if err := goBuild(Suite.Podd, "podd/cmd/podd", "-tags", shippedTags, "-ldflags", `-s -w -linkmode external -extldflags "-static"`); err != nil {
			return err
		}
	}
	return goBuild(Suite.standin, "podd/test/standin")
}

// shippedTags are those of make build.
const shippedTags = "netgo osusergo runc_nocriu nethttpomithttp2"

// goBuild builds a program, or takes it from the folder PODD_TEST_BINS on a machine that has no Go.
func goBuild(out, pkg string, flags ...string) error { return goBuildFor("", out, pkg, flags...) }

// goBuildFor builds it for another processor if one is named, without C.
func goBuildFor(goarch, out, pkg string, flags ...string) error {
	if built := os.Getenv("PODD_TEST_BINS"); built != "" {
		return os.Symlink(filepath.Join(built, filepath.Base(out)), out)
	}
	args := append([]string{"build", "-trimpath", "-tags", "netgo osusergo", "-o", out}, flags...)
	command := exec.Command("go", append(args, pkg)...)
	if goarch != "" {
		command.Env = append(os.Environ(), "GOARCH="+goarch, "CGO_ENABLED=0")
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", pkg, err, output)
	}
	return nil
}
