// Package security tests what confines containers: users, capabilities, seccomp, devices, known holes.
package security

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
