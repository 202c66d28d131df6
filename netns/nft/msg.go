package nft

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Batch is one nftables transaction in the making: what the kernel does with it, it does as a whole.
// Its messages ask for no acknowledgement. The kernel is done when sendto returns, and speaks only of
// failures, so that thousands of messages need no room for thousands of answers.
type Batch struct {
	Buf   []byte
	table string
	start int // of the message that is open
}

const (
	NfgenmsgSize = 4
	newFlags     = unix.NLM_F_REQUEST | unix.NLM_F_CREATE

	setConcat         = 0x80 // NFT_SET_CONCAT, linux/netfilter/nf_tables.h
	setElemKeyEnd     = 10   // NFTA_SET_ELEM_KEY_END
	setDescConcat     = 2    // NFTA_SET_DESC_CONCAT
	setFieldLen       = 1    // NFTA_SET_FIELD_LEN
	elementsPerBundle = 400  // an attribute is at most 64 KiB long
)

func NewBatch(table string) *Batch {
	b := &Batch{table: table}
	b.edge(unix.NFNL_MSG_BATCH_BEGIN)
	return b
}

// edge is the begin or the end of a transaction.
func (b *Batch) edge(kind uint16) {
	b.Header(kind, unix.NLM_F_REQUEST, unix.AF_UNSPEC)
	// The subsystem, in network order.
	binary.BigEndian.PutUint16(b.Buf[len(b.Buf)-2:], unix.NFNL_SUBSYS_NFTABLES)
	b.Close()
}

func (b *Batch) open(kind uint16, flags uint16) {
	b.Header(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, unix.NFPROTO_INET)
}

func (b *Batch) Header(kind, flags uint16, family byte) {
	b.start = len(b.Buf)
	b.Buf = append(b.Buf, make([]byte, unix.SizeofNlMsghdr+NfgenmsgSize)...)
	h := b.Buf[b.start:]
	binary.NativeEndian.PutUint16(h[4:], kind)
	binary.NativeEndian.PutUint16(h[6:], flags)
	h[unix.SizeofNlMsghdr] = family
}

func (b *Batch) Close() {
	binary.NativeEndian.PutUint32(b.Buf[b.start:], uint32(len(b.Buf)-b.start))
}

//go:noinline
func (b *Batch) Attr(kind uint16, value []byte) {
	var head [unix.SizeofRtAttr]byte
	binary.NativeEndian.PutUint16(head[:], uint16(len(value)+unix.SizeofRtAttr))
	binary.NativeEndian.PutUint16(head[2:], kind)
	b.Buf = append(append(b.Buf, head[:]...), value...)
	for len(b.Buf)%unix.NLMSG_ALIGNTO != 0 {
		b.Buf = append(b.Buf, 0)
	}
}

func (b *Batch) text(kind uint16, s string) { b.Attr(kind, append([]byte(s), 0)) }
func (b *Batch) word(kind uint16, v uint32) { b.Attr(kind, binary.BigEndian.AppendUint32(nil, v)) }

func (b *Batch) double(kind uint16, v uint64) { b.Attr(kind, binary.BigEndian.AppendUint64(nil, v)) }

func (b *Batch) nest(kind uint16, fill func()) {
	at := len(b.Buf)
	b.Attr(kind|unix.NLA_F_NESTED, nil)
	fill()
	binary.NativeEndian.PutUint16(b.Buf[at:], uint16(len(b.Buf)-at))
}

func (b *Batch) AddTable(flags uint32) {
	b.open(unix.NFT_MSG_NEWTABLE, newFlags)
	b.text(unix.NFTA_TABLE_NAME, b.table)
	if flags != 0 {
		b.word(unix.NFTA_TABLE_FLAGS, flags)
	}
	b.Close()
}

func (b *Batch) DeleteTable() {
	b.open(unix.NFT_MSG_DELTABLE, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_TABLE_NAME, b.table)
	b.Close()
}

func (b *Batch) addChain(c *Chain) {
	b.open(unix.NFT_MSG_NEWCHAIN, newFlags)
	b.text(unix.NFTA_CHAIN_TABLE, b.table)
	b.text(unix.NFTA_CHAIN_NAME, c.Name)
	if h := c.hook; h != nil {
		b.nest(unix.NFTA_CHAIN_HOOK, func() {
			b.word(unix.NFTA_HOOK_HOOKNUM, h.Number)
			b.word(unix.NFTA_HOOK_PRIORITY, uint32(h.Priority))
		})
		b.text(unix.NFTA_CHAIN_TYPE, h.Kind)
	}
	b.Close()
}

func (b *Batch) deleteChain(name string) {
	b.open(unix.NFT_MSG_DELCHAIN, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_CHAIN_TABLE, b.table)
	b.text(unix.NFTA_CHAIN_NAME, name)
	b.Close()
}

func (b *Batch) flushChain(name string) {
	b.open(unix.NFT_MSG_DELRULE, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_RULE_TABLE, b.table)
	b.text(unix.NFTA_RULE_CHAIN, name)
	b.Close()
}

func (b *Batch) addRule(chain string, r rule) {
	b.open(unix.NFT_MSG_NEWRULE, newFlags|unix.NLM_F_APPEND)
	b.text(unix.NFTA_RULE_TABLE, b.table)
	b.text(unix.NFTA_RULE_CHAIN, chain)
	b.nest(unix.NFTA_RULE_EXPRESSIONS, func() {
		for _, e := range r.encoded {
			b.Attr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, e)
		}
	})
	if r.comment != "" {
		b.Attr(unix.NFTA_RULE_USERDATA, comment(r.comment))
	}
	b.Close()
}

// comment encodes NFTNL_UDATA_RULE_COMMENT, type 0, length, text with its NUL, as nft(8) shows it.
func comment(text string) []byte {
	return append([]byte{0, byte(len(text) + 1)}, append([]byte(text), 0)...)
}

func (b *Batch) addSet(s *Set) {
	b.open(unix.NFT_MSG_NEWSET, newFlags)
	b.text(unix.NFTA_SET_TABLE, b.table)
	b.text(unix.NFTA_SET_NAME, s.Name)
	b.word(unix.NFTA_SET_FLAGS, s.flags())
	keyType, keyLen := concat(s.Key)
	b.word(unix.NFTA_SET_KEY_TYPE, keyType)
	b.word(unix.NFTA_SET_KEY_LEN, keyLen)
	b.word(unix.NFTA_SET_ID, 1)
	switch {
	case s.Verdicts:
		b.word(unix.NFTA_SET_DATA_TYPE, unix.NFT_DATA_VERDICT)
		b.word(unix.NFTA_SET_DATA_LEN, 0)
	case len(s.Data) > 0:
		dataType, dataLen := concat(s.Data)
		b.word(unix.NFTA_SET_DATA_TYPE, dataType)
		b.word(unix.NFTA_SET_DATA_LEN, dataLen)
	}
	if s.Timeout > 0 {
		b.double(unix.NFTA_SET_TIMEOUT, uint64(s.Timeout/time.Millisecond))
	}
	b.describe(s)
	b.Close()
}

// describe tells the kernel how long the fields of an interval's key are, and how large a set that
// packets fill may grow.
func (b *Batch) describe(s *Set) {
	if !s.Ranges && s.Timeout == 0 {
		return
	}
	b.nest(unix.NFTA_SET_DESC, func() {
		if s.Timeout > 0 {
			b.word(unix.NFTA_SET_DESC_SIZE, DynamicSize)
			return
		}
		b.nest(setDescConcat, func() {
			for _, f := range s.Key {
				b.nest(unix.NFTA_LIST_ELEM, func() { b.word(setFieldLen, f.Size) })
			}
		})
	})
}

func (b *Batch) deleteSet(name string) {
	b.open(unix.NFT_MSG_DELSET, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_SET_TABLE, b.table)
	b.text(unix.NFTA_SET_NAME, name)
	b.Close()
}

// elements adds or deletes elements, in as many messages as it takes.
func (b *Batch) elements(kind uint16, s *Set, list []Element) {
	flags := uint16(newFlags)
	if kind == unix.NFT_MSG_DELSETELEM {
		flags = unix.NLM_F_REQUEST
	}
	for len(list) > 0 {
		n := min(len(list), elementsPerBundle)
		b.open(kind, flags)
		b.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.table)
		b.text(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
		b.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
			for _, e := range list[:n] {
				b.element(s, e, kind == unix.NFT_MSG_NEWSETELEM)
			}
		})
		b.Close()
		list = list[n:]
	}
}

func (b *Batch) element(s *Set, e Element, withData bool) {
	b.nest(unix.NFTA_LIST_ELEM, func() {
		from, to, _ := e.bounds(s)
		b.nest(unix.NFTA_SET_ELEM_KEY, func() { b.Attr(unix.NFTA_DATA_VALUE, from) })
		if s.Ranges {
			b.nest(setElemKeyEnd, func() { b.Attr(unix.NFTA_DATA_VALUE, to) })
		}
		switch {
		case !withData:
		case s.Verdicts:
			b.nest(unix.NFTA_SET_ELEM_DATA, func() {
				b.nest(unix.NFTA_DATA_VERDICT, func() {
					verdict := int32(unix.NFT_GOTO)
					if s.Jumps {
						verdict = unix.NFT_JUMP
					}
					b.word(unix.NFTA_VERDICT_CODE, uint32(verdict))
					b.text(unix.NFTA_VERDICT_CHAIN, e.Value)
				})
			})
		case len(s.Data) > 0:
			b.nest(unix.NFTA_SET_ELEM_DATA, func() { b.Attr(unix.NFTA_DATA_VALUE, []byte(e.Value)) })
		}
	})
}
