package netns

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Names of the chains in podd's table.
const (
	chainMasquerade = "postrouting"
	chainForward    = "forward"
)

// ensureRules compares what is there by the comments of the rules, and replaces all of it in one
// transaction if it differs, so that no packet ever meets half a table.
func (n *Network) ensureRules() error {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return err
	}
	defer c.CloseLasting()
	want := n.rules()
	if n.rulesInPlace(c, want) {
		return nil
	}
	t := n.table()
	// Adding first lets the deletion succeed where there was no table.
	c.AddTable(t)
	c.DelTable(t)
	c.AddTable(t)
	for _, chain := range n.chains() {
		c.AddChain(chain)
	}
	for _, r := range want {
		c.AddRule(r)
	}
	return c.Flush()
}

func (n *Network) removeRules() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := n.table()
	c.AddTable(t)
	c.DelTable(t)
	return c.Flush()
}

func (n *Network) table() *nftables.Table {
	return &nftables.Table{Name: n.cfg.TableName, Family: nftables.TableFamilyIPv4}
}

func (n *Network) chains() []*nftables.Chain {
	t := n.table()
	accept := nftables.ChainPolicyAccept
	return []*nftables.Chain{{
		Name: chainMasquerade, Table: t, Type: nftables.ChainTypeNAT, Policy: &accept,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	}, {
		Name: chainForward, Table: t, Type: nftables.ChainTypeFilter, Policy: &accept,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	}}
}

// rulesInPlace reads back the comments. Any failure to read means that the chain is not there,
// or not for us to see: replacing it will tell.
func (n *Network) rulesInPlace(c *nftables.Conn, want []*nftables.Rule) bool {
	for _, chain := range n.chains() {
		found, err := retryDump(func() ([]*nftables.Rule, error) { return c.GetRules(chain.Table, chain) })
		if err != nil {
			return false
		}
		var have, should []string
		for _, r := range found {
			have = append(have, string(r.UserData))
		}
		for _, r := range want {
			if r.Chain.Name == chain.Name {
				should = append(should, string(r.UserData))
			}
		}
		if !slices.Equal(have, should) {
			return false
		}
	}
	return true
}

// rules carry a comment with a hash of what they say: the kernel replaces a rule as a whole, so
// that an equal comment means an equal rule.
func (n *Network) rules() []*nftables.Rule {
	rules := n.statements()
	for _, r := range rules {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %s %s", r.UserData, n.cfg.CIDR, n.cfg.Bridge)
		r.UserData = comment(fmt.Sprintf("podd: %s (%x)", r.UserData, h.Sum64()))
	}
	return rules
}

// comment encodes NFTNL_UDATA_RULE_COMMENT, type 0, length, text with its NUL, as nft(8) shows it.
func comment(text string) []byte {
	return append([]byte{0, byte(len(text) + 1)}, append([]byte(text), 0)...)
}

// ifname is an interface name as the kernel compares it: padded to its full size.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}
