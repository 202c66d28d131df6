// Package images tests pulls, archives, the store of images and who may use them.
package images

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
