package nft

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Field is one part of a set's key or value; its type is what nft(8) shows it as.
type Field struct{ Type, Size uint32 }

// The data types of nftables (nftables, src/datatype.c). An index of a map is a number in the host's order.
var (
	FieldIndex = Field{4, 4}
	Field4     = Field{7, 4}
	field6     = Field{8, 16}
	FieldProto = Field{12, 1}
	FieldPort  = Field{13, 2}
	FieldLink  = Field{21, 4} // an interface, by its index
)

const (
	typeBits    = 6 // of one type within a concatenated one
	DynamicSize = 65536
)

// concat is the type and the length of fields side by side: each fills whole registers of four bytes.
func concat(fields []Field) (typ, size uint32) {
	for _, f := range fields {
		typ = typ<<typeBits | f.Type
		size += (f.Size + 3) &^ 3
	}
	return typ, size
}

// Set is a set or a map of nftables as it should be.
type Set struct {
	Name     string
	Key      []Field
	Data     []Field // of a map
	Verdicts bool    // a map to chains: elements' values are their names
	Jumps    bool    // such a chain comes back
	Ranges   bool    // elements are ranges in each field
	Timeout  time.Duration
	elements map[string]string // from key (or both ends of a range) to value
}

// Element is one entry of a set.
type Element struct{ Key, Value string }

// bounds are the ends of a range; a single key is its own.
func (e Element) bounds(s *Set) (from, to []byte, isRange bool) {
	if s.Ranges {
		half := len(e.Key) / 2
		return []byte(e.Key[:half]), []byte(e.Key[half:]), true
	}
	return []byte(e.Key), nil, false
}

func (s *Set) flags() uint32 {
	var f uint32
	if s.Ranges {
		f |= unix.NFT_SET_INTERVAL | setConcat
	}
	if s.Verdicts || len(s.Data) > 0 {
		f |= unix.NFT_SET_MAP
	}
	if s.Timeout > 0 {
		f |= unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL
	}
	return f
}

// definition is what cannot change without making the set anew.
func (s *Set) definition() string {
	return fmt.Sprint(s.Key, s.Data, s.Verdicts, s.Jumps, s.Ranges, s.Timeout)
}

func (s *Set) Add(key, value string) {
	if s.elements == nil {
		s.elements = map[string]string{}
	}
	s.elements[key] = value
}

// Hook is where a base chain sits.
type Hook struct {
	Kind     string // filter or nat
	Number   uint32 // NF_INET_*
	Priority int32
}

// rule is one rule, its expressions encoded.
type rule struct {
	encoded [][]byte
	comment string
}

// Chain is a chain of nftables as it should be.
type Chain struct {
	Name  string
	hook  *Hook
	rules []rule
	Err   error // of the first rule that could not be encoded
}

// Add appends a rule; expressions may come in groups.
func (c *Chain) Add(comment string, groups ...[]expr.Any) {
	r := rule{comment: comment}
	for _, g := range groups {
		for _, e := range g {
			b, err := expr.Marshal(unix.NFPROTO_INET, e)
			if err != nil && c.Err == nil {
				c.Err = fmt.Errorf("cannot encode rule of chain %s: %w", c.Name, err)
			}
			r.encoded = append(r.encoded, b)
		}
	}
	c.rules = append(c.rules, r)
}

// digest is equal for chains that say the same.
func (c *Chain) digest() string {
	h := sha256.New()
	for _, r := range c.rules {
		fmt.Fprintf(h, "%q\n", r.comment)
		for _, e := range r.encoded {
			h.Write(e)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Ruleset is what podd's table should hold, or a part of it.
type Ruleset struct {
	Sets   map[string]*Set
	Chains map[string]*Chain
}

func NewRuleset() *Ruleset {
	return &Ruleset{Sets: map[string]*Set{}, Chains: map[string]*Chain{}}
}

// Chain returns the chain of that name, making it if it is new.
func (r *Ruleset) Chain(name string, at *Hook) *Chain {
	c := r.Chains[name]
	if c == nil {
		c = &Chain{Name: name, hook: at}
		r.Chains[name] = c
	}
	return c
}

func (r *Ruleset) AddSet(s *Set) *Set {
	if have := r.Sets[s.Name]; have != nil {
		return have
	}
	r.Sets[s.Name] = s
	return s
}

// Merge joins parts that have no names in common.
func Merge(parts ...*Ruleset) *Ruleset {
	all := NewRuleset()
	for _, p := range parts {
		for name, s := range p.Sets {
			all.Sets[name] = s
		}
		for name, c := range p.Chains {
			all.Chains[name] = c
		}
	}
	return all
}

// ShortHash names a thing by what it says.
func ShortHash(parts ...any) string {
	h := sha256.Sum256([]byte(fmt.Sprintf("%v", parts)))
	return hex.EncodeToString(h[:8])
}
