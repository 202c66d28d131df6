package netns

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// batch is one nftables transaction in the making: what the kernel does with it, it does as a whole.
// Its messages ask for no acknowledgement. The kernel is done when sendto returns, and speaks only of
// failures, so that thousands of messages need no room for thousands of answers.
type batch struct {
	buf   []byte
	table string
	start int // of the message that is open
}

const (
	nfgenmsgSize = 4
	newFlags     = unix.NLM_F_REQUEST | unix.NLM_F_CREATE

	setConcat         = 0x80 // NFT_SET_CONCAT, linux/netfilter/nf_tables.h
	setElemKeyEnd     = 10   // NFTA_SET_ELEM_KEY_END
	setDescConcat     = 2    // NFTA_SET_DESC_CONCAT
	setFieldLen       = 1    // NFTA_SET_FIELD_LEN
	elementsPerBundle = 400  // an attribute is at most 64 KiB long
)

func newBatch(table string) *batch {
	b := &batch{table: table}
	b.edge(unix.NFNL_MSG_BATCH_BEGIN)
	return b
}

// edge is the begin or the end of a transaction.
func (b *batch) edge(kind uint16) {
	b.header(kind, unix.NLM_F_REQUEST, unix.AF_UNSPEC)
	// The subsystem, in network order.
	binary.BigEndian.PutUint16(b.buf[len(b.buf)-2:], unix.NFNL_SUBSYS_NFTABLES)
	b.close()
}

func (b *batch) open(kind uint16, flags uint16) {
	b.header(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, unix.NFPROTO_INET)
}

func (b *batch) header(kind, flags uint16, family byte) {
	b.start = len(b.buf)
	b.buf = append(b.buf, make([]byte, unix.SizeofNlMsghdr+nfgenmsgSize)...)
	h := b.buf[b.start:]
	binary.NativeEndian.PutUint16(h[4:], kind)
	binary.NativeEndian.PutUint16(h[6:], flags)
	h[unix.SizeofNlMsghdr] = family
}

func (b *batch) close() {
	binary.NativeEndian.PutUint32(b.buf[b.start:], uint32(len(b.buf)-b.start))
}

func (b *batch) attr(kind uint16, value []byte) {
	var head [unix.SizeofRtAttr]byte
	binary.NativeEndian.PutUint16(head[:], uint16(len(value)+unix.SizeofRtAttr))
	binary.NativeEndian.PutUint16(head[2:], kind)
	b.buf = append(append(b.buf, head[:]...), value...)
	for len(b.buf)%unix.NLMSG_ALIGNTO != 0 {
		b.buf = append(b.buf, 0)
	}
}

func (b *batch) text(kind uint16, s string) { b.attr(kind, append([]byte(s), 0)) }
func (b *batch) word(kind uint16, v uint32) { b.attr(kind, binary.BigEndian.AppendUint32(nil, v)) }

func (b *batch) double(kind uint16, v uint64) { b.attr(kind, binary.BigEndian.AppendUint64(nil, v)) }

func (b *batch) nest(kind uint16, fill func()) {
	at := len(b.buf)
	b.attr(kind|unix.NLA_F_NESTED, nil)
	fill()
	binary.NativeEndian.PutUint16(b.buf[at:], uint16(len(b.buf)-at))
}

func (b *batch) addTable(flags uint32) {
	b.open(unix.NFT_MSG_NEWTABLE, newFlags)
	b.text(unix.NFTA_TABLE_NAME, b.table)
	if flags != 0 {
		b.word(unix.NFTA_TABLE_FLAGS, flags)
	}
	b.close()
}

func (b *batch) deleteTable() {
	b.open(unix.NFT_MSG_DELTABLE, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_TABLE_NAME, b.table)
	b.close()
}

func (b *batch) addChain(c *chain) {
	b.open(unix.NFT_MSG_NEWCHAIN, newFlags)
	b.text(unix.NFTA_CHAIN_TABLE, b.table)
	b.text(unix.NFTA_CHAIN_NAME, c.name)
	if h := c.hook; h != nil {
		b.nest(unix.NFTA_CHAIN_HOOK, func() {
			b.word(unix.NFTA_HOOK_HOOKNUM, h.number)
			b.word(unix.NFTA_HOOK_PRIORITY, uint32(h.priority))
		})
		b.text(unix.NFTA_CHAIN_TYPE, h.kind)
	}
	b.close()
}

func (b *batch) deleteChain(name string) {
	b.open(unix.NFT_MSG_DELCHAIN, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_CHAIN_TABLE, b.table)
	b.text(unix.NFTA_CHAIN_NAME, name)
	b.close()
}

func (b *batch) flushChain(name string) {
	b.open(unix.NFT_MSG_DELRULE, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_RULE_TABLE, b.table)
	b.text(unix.NFTA_RULE_CHAIN, name)
	b.close()
}

func (b *batch) addRule(chain string, r rule) {
	b.open(unix.NFT_MSG_NEWRULE, newFlags|unix.NLM_F_APPEND)
	b.text(unix.NFTA_RULE_TABLE, b.table)
	b.text(unix.NFTA_RULE_CHAIN, chain)
	b.nest(unix.NFTA_RULE_EXPRESSIONS, func() {
		for _, e := range r.encoded {
			b.attr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, e)
		}
	})
	if r.comment != "" {
		b.attr(unix.NFTA_RULE_USERDATA, comment(r.comment))
	}
	b.close()
}

// comment encodes NFTNL_UDATA_RULE_COMMENT, type 0, length, text with its NUL, as nft(8) shows it.
func comment(text string) []byte {
	return append([]byte{0, byte(len(text) + 1)}, append([]byte(text), 0)...)
}

func (b *batch) addSet(s *set) {
	b.open(unix.NFT_MSG_NEWSET, newFlags)
	b.text(unix.NFTA_SET_TABLE, b.table)
	b.text(unix.NFTA_SET_NAME, s.name)
	b.word(unix.NFTA_SET_FLAGS, s.flags())
	keyType, keyLen := concat(s.key)
	b.word(unix.NFTA_SET_KEY_TYPE, keyType)
	b.word(unix.NFTA_SET_KEY_LEN, keyLen)
	b.word(unix.NFTA_SET_ID, 1)
	switch {
	case s.verdicts:
		b.word(unix.NFTA_SET_DATA_TYPE, unix.NFT_DATA_VERDICT)
		b.word(unix.NFTA_SET_DATA_LEN, 0)
	case len(s.data) > 0:
		dataType, dataLen := concat(s.data)
		b.word(unix.NFTA_SET_DATA_TYPE, dataType)
		b.word(unix.NFTA_SET_DATA_LEN, dataLen)
	}
	if s.timeout > 0 {
		b.double(unix.NFTA_SET_TIMEOUT, uint64(s.timeout/time.Millisecond))
	}
	b.describe(s)
	b.close()
}

// describe tells the kernel how long the fields of an interval's key are, and how large a set that
// packets fill may grow.
func (b *batch) describe(s *set) {
	if !s.ranges && s.timeout == 0 {
		return
	}
	b.nest(unix.NFTA_SET_DESC, func() {
		if s.timeout > 0 {
			b.word(unix.NFTA_SET_DESC_SIZE, dynamicSize)
			return
		}
		b.nest(setDescConcat, func() {
			for _, f := range s.key {
				b.nest(unix.NFTA_LIST_ELEM, func() { b.word(setFieldLen, f.size) })
			}
		})
	})
}

func (b *batch) deleteSet(name string) {
	b.open(unix.NFT_MSG_DELSET, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_SET_TABLE, b.table)
	b.text(unix.NFTA_SET_NAME, name)
	b.close()
}

// elements adds or deletes elements, in as many messages as it takes.
func (b *batch) elements(kind uint16, s *set, list []element) {
	flags := uint16(newFlags)
	if kind == unix.NFT_MSG_DELSETELEM {
		flags = unix.NLM_F_REQUEST
	}
	for len(list) > 0 {
		n := min(len(list), elementsPerBundle)
		b.open(kind, flags)
		b.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.table)
		b.text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
		b.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
			for _, e := range list[:n] {
				b.element(s, e, kind == unix.NFT_MSG_NEWSETELEM)
			}
		})
		b.close()
		list = list[n:]
	}
}

func (b *batch) element(s *set, e element, withData bool) {
	b.nest(unix.NFTA_LIST_ELEM, func() {
		from, to, _ := e.bounds(s)
		b.nest(unix.NFTA_SET_ELEM_KEY, func() { b.attr(unix.NFTA_DATA_VALUE, from) })
		if s.ranges {
			b.nest(setElemKeyEnd, func() { b.attr(unix.NFTA_DATA_VALUE, to) })
		}
		switch {
		case !withData:
		case s.verdicts:
			b.nest(unix.NFTA_SET_ELEM_DATA, func() {
				b.nest(unix.NFTA_DATA_VERDICT, func() {
					verdict := int32(unix.NFT_GOTO)
					if s.jumps {
						verdict = unix.NFT_JUMP
					}
					b.word(unix.NFTA_VERDICT_CODE, uint32(verdict))
					b.text(unix.NFTA_VERDICT_CHAIN, e.value)
				})
			})
		case len(s.data) > 0:
			b.nest(unix.NFTA_SET_ELEM_DATA, func() { b.attr(unix.NFTA_DATA_VALUE, []byte(e.value)) })
		}
	})
}
