package userns

import (
	"testing"

	"podd/netns/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
