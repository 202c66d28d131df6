package netns

import (
	"net/netip"
	"slices"
	"testing"

	"podd/netns/inspect"
)

// The chains and routes of a network that podd made are found, so that others' are too.
func TestLook(t *testing.T) {
	newTestNetwork(t, "10.88.0.0/24")
	routes, err := inspect.Routes()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(routes, func(r inspect.Route) bool {
		return r.To == netip.MustParsePrefix("fd00:88::1/128") && r.Link == "podd0"
	}) {
		t.Errorf("no route of the bridge among %v", routes)
	}
	chains, err := inspect.BaseChains()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(chains, func(c inspect.Chain) bool {
		return c.Family == "inet" && c.Table == "podd" && c.Hook == "postrouting" && !c.Drop
	}) {
		t.Errorf("no chain of podd among %v", chains)
	}
}
