package imagetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
)

// Named is an entry of any kind.
func Named(h tar.Header) File { return File{Header: h} }

// HostileLayers is what a layer must not hold.
func HostileLayers() map[string][]File {
	reg, link := Regular, Symlink
	return map[string][]File{
		"dot dot":                   {reg("../canary", "x")},
		"dot dot inside":            {reg("a/../../canary", "x")},
		"dot dot that stays":        {reg("a/../b", "x")},
		"write through absolute":    {link("l", "/tmp"), reg("l/canary", "x")},
		"write through relative":    {link("l", "../.."), reg("l/canary", "x")},
		"write through two":         {link("a", "b"), link("b", ".."), reg("a/canary", "x")},
		"write through deep":        {Dir("d/"), link("d/l", "../.."), reg("d/l/canary", "x")},
		"folder through link":       {link("l", ".."), Dir("l/canary/")},
		"whiteout through link":     {link("l", "../.."), reg("l/.wh.canary", "")},
		"opaque through link":       {link("l", ".."), reg("l/.wh..wh..opq", "")},
		"through proc":              {link("l", "/proc/self/root/tmp"), reg("l/canary", "x")},
		"loop of links":             {link("a", "b"), link("b", "a"), reg("a/x", "x")},
		"hard link up":              {hardlink("h", "../../canary")},
		"hard link absolute":        {hardlink("h", "/etc/passwd")},
		"hard link through link":    {link("l", "/etc"), hardlink("h", "l/passwd")},
		"hard link through up":      {link("l", "../.."), hardlink("h", "l/canary")},
		"hard link to nothing":      {hardlink("h", "nothing")},
		"hard link to itself":       {reg("h", "x"), hardlink("h", "h")},
		"hard link to folder":       {Dir("d/"), hardlink("h", "d")},
		"hard link to whiteout":     {WhiteoutOf("w"), hardlink("h", "w")},
		"hard link to removed":      {reg("d/x", "x"), hardlink("d", "d/x")},
		"fake whiteout":             {Named(tar.Header{Name: "etc", Typeflag: tar.TypeChar})},
		"fake whiteout in dev":      {Named(tar.Header{Name: "dev/x", Typeflag: tar.TypeChar})},
		"unknown type":              {Named(tar.Header{Name: "x", Typeflag: 'Z'})},
		"fake opaque":               {file("x", func(h *tar.Header) { withXattr(h, "trusted.overlay.opaque", "y") })},
		"fake redirect":             {file("x", func(h *tar.Header) { withXattr(h, "trusted.overlay.redirect", "/etc") })},
		"fake user overlay":         {file("x", func(h *tar.Header) { withXattr(h, "user.overlay.opaque", "y") })},
		"overlong name":             {reg(strings.Repeat("n", 256), "x")},
		"overlong path":             {reg(strings.Repeat("n/", 2100)+"x", "x")},
		"overlong link":             {link("l", strings.Repeat("n", 5000))},
		"empty link":                {link("l", "")},
		"below a file":              {reg("f", "x"), reg("f/x", "x")},
		"below a dangling link":     {link("l", "nowhere"), reg("l/x", "x")},
		"whiteout of nothing":       {reg("d/.wh.", "")},
		"whiteout of dot":           {reg("d/.wh..", "")},
		"whiteout of dot dot":       {reg("d/.wh...", "")},
		"below a whiteout":          {reg(".wh.d/x", "x")},
		"root is a file":            {Named(tar.Header{Name: ".", Typeflag: tar.TypeReg})},
		"root is a link":            {link("./", "/etc")},
		"too many files":            ManyFiles(2000),
		"too many implied":          {reg(strings.Repeat("d/", 1500)+"x", "x")},
		"too large":                 {reg("x", strings.Repeat("x", 40<<20))},
		"owner below zero":          {Named(tar.Header{Name: "x", Uid: -5, Format: tar.FormatGNU})},
		"capability beyond limits":  {file("x", func(h *tar.Header) { withXattr(h, "user."+strings.Repeat("n", 300), "y") })},
		"replaced folder then link": {Dir("d/"), reg("d/x", "x"), link("d", "../.."), reg("d/canary", "x")},
	}
}

// ManyFiles are n empty files.
func ManyFiles(n int) []File {
	var out []File
	for i := range n {
		out = append(out, Regular(fmt.Sprint("f", i), ""))
	}
	return out
}

// HugeWindow is a zstd frame that asks for 2 GiB of memory (RFC 8878, 3.1.1.1.2).
func HugeWindow() []byte {
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0, 0}, make([]byte, 600)...)
}

func rawEntry(typeflag byte, name string, size int64, data []byte) []byte {
	var buf bytes.Buffer
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	copy(h[136:], "00000000000\x00        ")
	h[156] = typeflag
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	buf.Write(h)
	buf.Write(data)
	buf.Write(make([]byte, (512-len(data)%512)%512))
	return buf.Bytes()
}

func paxRecord(key, value string) []byte {
	n := len(key) + len(value) + 3
	n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
	return fmt.Appendf(nil, "%d %s=%s\n", n, key, value)
}

// PaxName is a tar whose entry has its name from a pax header.
func PaxName(name string) []byte {
	rec := paxRecord("path", name)
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	return append(append(out, rawEntry('0', "x", 0, nil)...), make([]byte, 1024)...)
}

// HugePax is a tar with a pax header that asks for much memory.
func HugePax() []byte {
	rec := paxRecord("comment", strings.Repeat("c", 2<<20))
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	return append(append(out, rawEntry('0', "x", 0, nil)...), make([]byte, 1024)...)
}

// SparseHeader is a tar that claims a file of a TiB with nothing in it.
func SparseHeader() []byte {
	var rec []byte
	for _, kv := range [][2]string{
		{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "big"}, {"GNU.sparse.realsize", "1099511627776"},
	} {
		rec = append(rec, paxRecord(kv[0], kv[1])...)
	}
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	sparseMap := make([]byte, 512)
	copy(sparseMap, "1\n1099511627776\n0\n")
	return append(append(out, rawEntry('0', "x", 512, sparseMap)...), make([]byte, 1024)...)
}
