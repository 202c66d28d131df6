package netns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// field is one part of a set's key or value; its type is what nft(8) shows it as.
type field struct{ typ, size uint32 }

// The data types of nftables (nftables, src/datatype.c). An index of a map is a number in the host's order.
var (
	fieldIndex = field{4, 4}
	field4     = field{7, 4}
	field6     = field{8, 16}
	fieldProto = field{12, 1}
	fieldPort  = field{13, 2}
	fieldLink  = field{21, 4} // an interface, by its index
)

const (
	typeBits    = 6 // of one type within a concatenated one
	dynamicSize = 65536
)

// concat is the type and the length of fields side by side: each fills whole registers of four bytes.
func concat(fields []field) (typ, size uint32) {
	for _, f := range fields {
		typ = typ<<typeBits | f.typ
		size += (f.size + 3) &^ 3
	}
	return typ, size
}

// set is a set or a map of nftables as it should be.
type set struct {
	name     string
	key      []field
	data     []field // of a map
	verdicts bool    // a map to chains: elements' values are their names
	jumps    bool    // such a chain comes back
	ranges   bool    // elements are ranges in each field
	timeout  time.Duration
	elements map[string]string // from key (or both ends of a range) to value
}

// element is one entry of a set.
type element struct{ key, value string }

// bounds are the ends of a range; a single key is its own.
func (e element) bounds(s *set) (from, to []byte, isRange bool) {
	if s.ranges {
		half := len(e.key) / 2
		return []byte(e.key[:half]), []byte(e.key[half:]), true
	}
	return []byte(e.key), nil, false
}

func (s *set) flags() uint32 {
	var f uint32
	if s.ranges {
		f |= unix.NFT_SET_INTERVAL | setConcat
	}
	if s.verdicts || len(s.data) > 0 {
		f |= unix.NFT_SET_MAP
	}
	if s.timeout > 0 {
		f |= unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL
	}
	return f
}

// definition is what cannot change without making the set anew.
func (s *set) definition() string {
	return fmt.Sprint(s.key, s.data, s.verdicts, s.jumps, s.ranges, s.timeout)
}

func (s *set) add(key, value string) {
	if s.elements == nil {
		s.elements = map[string]string{}
	}
	s.elements[key] = value
}

// hook is where a base chain sits.
type hook struct {
	kind     string // filter or nat
	number   uint32 // NF_INET_*
	priority int32
}

// rule is one rule, its expressions encoded.
type rule struct {
	encoded [][]byte
	comment string
}

// chain is a chain of nftables as it should be.
type chain struct {
	name  string
	hook  *hook
	rules []rule
	err   error // of the first rule that could not be encoded
}

// add appends a rule; expressions may come in groups.
func (c *chain) add(comment string, groups ...[]expr.Any) {
	r := rule{comment: comment}
	for _, g := range groups {
		for _, e := range g {
			b, err := expr.Marshal(unix.NFPROTO_INET, e)
			if err != nil && c.err == nil {
				c.err = fmt.Errorf("cannot encode rule of chain %s: %w", c.name, err)
			}
			r.encoded = append(r.encoded, b)
		}
	}
	c.rules = append(c.rules, r)
}

// digest is equal for chains that say the same.
func (c *chain) digest() string {
	h := sha256.New()
	for _, r := range c.rules {
		fmt.Fprintf(h, "%q\n", r.comment)
		for _, e := range r.encoded {
			h.Write(e)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// ruleset is what podd's table should hold, or a part of it.
type ruleset struct {
	sets   map[string]*set
	chains map[string]*chain
}

func newRuleset() *ruleset {
	return &ruleset{sets: map[string]*set{}, chains: map[string]*chain{}}
}

// chain returns the chain of that name, making it if it is new.
func (r *ruleset) chain(name string, at *hook) *chain {
	c := r.chains[name]
	if c == nil {
		c = &chain{name: name, hook: at}
		r.chains[name] = c
	}
	return c
}

func (r *ruleset) addSet(s *set) *set {
	if have := r.sets[s.name]; have != nil {
		return have
	}
	r.sets[s.name] = s
	return s
}

// merge joins parts that have no names in common.
func merge(parts ...*ruleset) *ruleset {
	all := newRuleset()
	for _, p := range parts {
		for name, s := range p.sets {
			all.sets[name] = s
		}
		for name, c := range p.chains {
			all.chains[name] = c
		}
	}
	return all
}

// shortHash names a thing by what it says.
func shortHash(parts ...any) string {
	h := sha256.Sum256([]byte(fmt.Sprintf("%v", parts)))
	return hex.EncodeToString(h[:8])
}
