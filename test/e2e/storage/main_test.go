// Package storage tests volumes, claims, and what pods take from ConfigMaps and Secrets.
package storage

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
