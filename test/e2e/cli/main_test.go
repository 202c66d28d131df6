// Package cli tests the commands of the client, and those of the documentation.
package cli

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
