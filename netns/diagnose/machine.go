// Package diagnose looks at a machine's network as pods meet it: hop by hop from a pod to the world, and the routes and
// firewalls beside podd's own. It changes nothing; package board judges what it sees.
package diagnose

import (
	"podd/board"
	"podd/netns/inspect"
)

// table is podd's own in nftables.
const table = "podd"

// Examine looks at the routes and the firewalls beside what is known of a machine, and judges all of it.
func Examine(m *board.Machine) []board.Finding {
	m.Table, m.Errors = table, map[string]error{}
	routes, err := inspect.Routes()
	m.Errors["routes"] = err
	for _, r := range routes {
		m.Routes = append(m.Routes, board.Route(r))
	}
	m.Chains, m.Errors["nftables"] = baseChains()
	return m.Examine()
}

func baseChains() ([]board.Chain, error) {
	chains, err := inspect.BaseChains()
	var list []board.Chain
	for _, chain := range chains {
		list = append(list, board.Chain(chain))
	}
	return list, err
}
