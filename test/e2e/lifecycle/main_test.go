// Package lifecycle tests the lives of pods and of the daemon: starts, probes, restarts, ends, deaths and reboots.
package lifecycle

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
