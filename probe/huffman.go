package probe

import "errors"

// huffmanLengths has the length in bits of each byte's code. RFC 7541, Appendix B. The code is canonical: within a
// length, codes go up with the bytes.
const huffmanLengths = "" +
	"\x0d\x17\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x18\x1e\x1c\x1c\x1e\x1c\x1c" +
	"\x1c\x1c\x1c\x1c\x1c\x1c\x1e\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c" +
	"\x06\x0a\x0a\x0c\x0d\x06\x08\x0b\x0a\x0a\x08\x0b\x08\x06\x06\x06" +
	"\x05\x05\x05\x06\x06\x06\x06\x06\x06\x06\x07\x08\x0f\x06\x0c\x0a" +
	"\x0d\x06\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07" +
	"\x07\x07\x07\x07\x07\x07\x07\x07\x08\x07\x08\x0d\x13\x0d\x0e\x06" +
	"\x0f\x05\x06\x05\x06\x05\x06\x06\x06\x05\x07\x07\x06\x06\x06\x05" +
	"\x06\x07\x06\x05\x05\x06\x07\x07\x07\x07\x07\x0f\x0b\x0e\x0d\x1c" +
	"\x14\x16\x14\x14\x16\x16\x16\x17\x16\x17\x17\x17\x17\x17\x18\x17" +
	"\x18\x18\x16\x17\x18\x17\x17\x17\x17\x15\x16\x17\x16\x17\x17\x18" +
	"\x16\x15\x14\x16\x16\x17\x17\x15\x17\x16\x16\x18\x15\x16\x17\x17" +
	"\x15\x15\x16\x15\x17\x16\x17\x17\x14\x16\x16\x16\x17\x16\x16\x17" +
	"\x1a\x1a\x14\x13\x16\x17\x16\x19\x1a\x1a\x1a\x1b\x1b\x1a\x18\x19" +
	"\x13\x15\x1a\x1b\x1b\x1a\x1b\x18\x15\x15\x1a\x1a\x1c\x1b\x1b\x1b" +
	"\x14\x18\x14\x15\x16\x15\x15\x17\x16\x16\x19\x19\x18\x18\x1a\x17" +
	"\x1a\x1b\x1a\x1a\x1b\x1b\x1b\x1b\x1b\x1c\x1b\x1b\x1b\x1b\x1b\x1a"

const longestCode = 30 // bits, of the end-of-string symbol among others

var errHuffman = errors.New("bad Huffman code in a header")

// huffmanText decodes a text; it reads bit by bit, because a health check has few and short ones.
func huffmanText(in string) (string, error) {
	var counts [longestCode + 1]int // of codes of each length
	for i := range len(huffmanLengths) {
		counts[huffmanLengths[i]]++
	}
	var out []byte
	code, first, length := 0, 0, 0
	for i := range len(in) * 8 {
		code = code<<1 | int(in[i/8]>>(7-i%8)&1)
		first <<= 1
		length++
		if length > longestCode {
			return "", errHuffman
		}
		if code-first < counts[length] {
			out = append(out, huffmanSymbol(length, code-first))
			code, first, length = 0, 0, 0
			continue
		}
		first += counts[length]
	}
	// What is left is padding: the first bits of the end-of-string symbol, fewer than eight ones.
	if length > 7 || code != 1<<length-1 {
		return "", errHuffman
	}
	return string(out), nil
}

// huffmanSymbol is the n-th byte, from 0, whose code has this length.
func huffmanSymbol(length, n int) byte {
	for i := range len(huffmanLengths) {
		if int(huffmanLengths[i]) == length {
			if n == 0 {
				return byte(i)
			}
			n--
		}
	}
	return 0
}
