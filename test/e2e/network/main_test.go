// Package network tests addresses, ports, Services, names and policies of pods.
package network

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
