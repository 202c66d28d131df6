package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"

	"golang.org/x/sys/unix"

	"podd/netns/nft"
)

// Flags of a table (linux/netfilter/nf_tables.h). A table with an owner is left alone by "nft flush ruleset",
// and by whoever else is not that socket; one that persists loses no more than its owner when the socket
// closes (Linux 6.9). On older kernels podd's table belongs to nobody: an owner's death would take it along.
const (
	tableOwner   = 1 << 1 // NFT_TABLE_F_OWNER
	tablePersist = 1 << 2 // NFT_TABLE_F_PERSIST
)

// table keeps podd's nftables table as its parts want it. An earlier daemon's table is left alone until
// every part has spoken once: replaced before, it would lose what the new daemon does not know yet.
type table struct {
	name string

	mu         sync.Mutex
	conn       *nft.Conn
	have       *nft.InKernel // nil: unknown, and written anew as a whole
	generation uint32        // of the ruleset after our last word
	flags      uint32
	inherited  bool

	base, ports, services, policies *nft.Ruleset

	cfg     *Config
	routing routing

	awaitPods, awaitPolicies, awaitServices bool

	serviceTable ServiceTable
	policyTable  PolicyTable
}

func newTable(c *Config) *table {
	none := func(string) []netip.Addr { return nil }
	return &table{
		name: c.TableName, flags: tableOwner | tablePersist, cfg: c, base: renderBase(c, routing{}), ports: renderPorts(nil, none, nil),
		services: renderServices(nil), policies: renderPolicies(nil, none),
	}
}

// ensure writes what has not been written, and everything if somebody else has had a hand in.
func (t *table) ensure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.dial(); err != nil {
		return err
	}
	now, err := t.conn.Generation()
	if err != nil {
		return err
	}
	if t.have != nil && now != t.generation {
		t.have = nil
	}
	if t.have == nil && !t.inherited {
		if t.inherited, err = t.conn.HasTable(t.name); err != nil {
			return err
		}
		// Only a table that this daemon has not written is somebody's before it.
		t.inherited = t.inherited && t.generation == 0
	}
	return t.commit()
}

// tampered makes the next commit write everything.
func (t *table) tampered() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inherited {
		t.inherited = false // what it was worth keeping for is gone
	}
	t.have = nil
	return t.commit()
}

func (t *table) dial() error {
	if t.conn != nil {
		return nil
	}
	c, err := nft.Dial()
	t.conn = c
	return err
}

// commit writes the difference.
func (t *table) commit() error {
	if t.inherited && (t.awaitPods || t.awaitPolicies || t.awaitServices) {
		return nil
	}
	if err := t.dial(); err != nil {
		return err
	}
	want := nft.Merge(t.base, t.ports, t.services, t.policies)
	for _, c := range want.Chains {
		if c.Err != nil {
			return c.Err
		}
	}
	if t.have != nil {
		if same, err := t.write(t.have, want); err == nil || same {
			return err
		}
		// Somebody has changed the table since: nothing of the difference is done, all of it is written.
	}
	_, err := t.write(nil, want)
	return err
}

// write turns what the kernel has, nil for nothing known, into want. It says whether nothing had to be done.
func (t *table) write(have *nft.InKernel, want *nft.Ruleset) (same bool, err error) {
	b := nft.NewBatch(t.name)
	var known map[string][]nft.Client
	if have == nil {
		if known, err = t.conn.Clients(t.name, want); err != nil {
			return false, err
		}
		// Adding first lets the deletion succeed where there was no table.
		b.AddTable(0)
		b.DeleteTable()
		b.AddTable(t.flags)
		have = &nft.InKernel{}
	}
	empty := len(b.Buf)
	next := nft.Difference(b, have, want)
	for _, name := range nft.Sorted(known) {
		b.Remember(want.Sets[name], known[name])
	}
	if len(b.Buf) == empty && t.have != nil {
		t.have = next
		return true, nil
	}
	err = t.conn.Commit(b)
	if t.flags != 0 && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)) && t.have == nil {
		t.flags = 0
		return t.write(nil, want)
	}
	if err != nil {
		t.have = nil
		return false, fmt.Errorf("cannot change nftables table %s: %w", t.name, err)
	}
	t.have, t.inherited = next, false
	t.generation, err = t.conn.Generation()
	return false, err
}

// remove takes the table away.
func (t *table) remove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.dial(); err != nil {
		return err
	}
	b := nft.NewBatch(t.name)
	b.AddTable(0)
	b.DeleteTable()
	t.have, t.inherited = nil, false
	return t.conn.Commit(b)
}

func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}

// port is the address that the kernel's notifications of our own changes bear.
func (t *table) port() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil {
		return 0
	}
	return t.conn.Port
}

// setRouting has the base follow what the kernel forwards. Where nothing is in force yet, ensure writes it.
func (t *table) setRouting(r routing) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.routing.equal(r) {
		return nil
	}
	base := renderBase(t.cfg, r)
	if t.have == nil {
		t.base, t.routing = base, r
		return nil
	}
	err := t.replace(&t.base, base)
	if err == nil {
		t.routing = r
	}
	return err
}

// inForce says whether the kernel has the rules, of this daemon or of an earlier one.
func (t *table) inForce() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.have != nil || t.inherited
}

func (t *table) expect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.awaitPods, t.awaitPolicies = true, true
}

func (t *table) expectServices() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.awaitServices = true
}

// setPorts asks for the rules when it is its turn: of two that come at once, the later must not write what the earlier
// has seen.
func (t *table) setPorts(render func() *nft.Ruleset) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.awaitPods = false
	return t.replace(&t.ports, render())
}

func (t *table) setPolicies(p PolicyTable, addressesOf func(string) []netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) == 0 && len(t.policyTable) == 0 && !t.awaitPolicies && t.have != nil {
		return nil
	}
	t.policyTable, t.awaitPolicies = p, false
	return t.replace(&t.policies, renderPolicies(p, addressesOf))
}

// addressed looks again at the policies that name a pod, now that it has an address or has it no longer.
func (t *table) addressed(id string, addressesOf func(string) []netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.policyTable.mentions(id) {
		return nil
	}
	return t.replace(&t.policies, renderPolicies(t.policyTable, addressesOf))
}

// replace puts a part in; one that the kernel does not take leaves the old one in force.
func (t *table) replace(part **nft.Ruleset, r *nft.Ruleset) error {
	old := *part
	*part = r
	err := t.commit()
	if err != nil {
		*part = old
	}
	return err
}

// setServices returns the fronts of Services that are not what they were, also of those that are gone.
func (t *table) setServices(want ServiceTable) (frontends, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed, same := changedServices(t.serviceTable, want)
	if same && !t.awaitServices && t.have != nil {
		return nil, nil
	}
	t.awaitServices = false
	if err := t.replace(&t.services, renderServices(want)); err != nil {
		return nil, err
	}
	t.serviceTable = want
	return changed, nil
}

// eachService calls f with each Service.
func (t *table) eachService(f func(p *ServicePort)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.serviceTable {
		f(&t.serviceTable[i])
	}
}

// changedServices are the fronts of what is new, other or gone, as they lead now.
func changedServices(have, want ServiceTable) (changed frontends, same bool) {
	old := make(map[string]*ServicePort, len(have))
	for i := range have {
		old[have[i].Name] = &have[i]
	}
	var others []*ServicePort
	for i := range want {
		was := old[want[i].Name]
		if was != nil && reflect.DeepEqual(*was, want[i]) {
			delete(old, want[i].Name)
			continue
		}
		others = append(others, &want[i])
	}
	changed = frontends{}
	for _, was := range old {
		changed.addService(was, nil)
	}
	for _, p := range others { // later: one may have what another had
		changed.addService(p, p.Endpoints)
	}
	return changed, len(old) == 0 && len(others) == 0
}
