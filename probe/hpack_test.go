package probe

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// The vectors of RFC 7541, Appendix C.
func TestHuffman(t *testing.T) {
	for code, want := range map[string]string{
		"f1e3c2e5f23a6ba0ab90f4ff": "www.example.com",
		"a8eb10649cbf":             "no-cache",
		"25a849e95ba97d7f":         "custom-key",
		"6402":                     "302",
		"d07abe941054d444a8200595040b8166e082a62d1bff": "Mon, 21 Oct 2013 20:13:21 GMT",
		"9d29ad171863c78f0b97c8e9ae82ae43d3":           "https://www.example.com",
		"":                                             "",
	} {
		data, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := huffmanText(string(data)); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", code, got, err, want)
		}
	}
	for _, bad := range []string{"\xff\xff\xff\xff", "\x00", "\xff"} {
		if got, err := huffmanText(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	if got, err := huffmanText(string(hpack.AppendHuffmanString(nil, string(every)))); err != nil || got != string(every) {
		t.Errorf("all bytes: %q, %v", got, err)
	}
}

func fields(block string) ([]string, error) {
	var got []string
	err := headerFields(block, func(name, value string) { got = append(got, name+"="+value) })
	return got, err
}

// What an encoder of another make writes once it has been told to keep no table.
func TestHeaderFields(t *testing.T) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSizeLimit(0)
	long := strings.Repeat("long ", 1000)
	for _, f := range []hpack.HeaderField{
		{Name: ":status", Value: "200"},
		{Name: ":status", Value: "503"},
		{Name: "grpc-status", Value: "0"},
		{Name: "grpc-message", Value: "fünf"},
		{Name: "location", Value: "/there"},
		{Name: "x-secret", Value: "s", Sensitive: true},
		{Name: "x-long", Value: long},
	} {
		if err := encoder.WriteField(f); err != nil {
			t.Fatal(err)
		}
	}
	got, err := fields(block.String())
	want := []string{":status=200", ":status=503", "grpc-status=0", "grpc-message=fünf", "location=/there", "x-secret=s", "x-long=" + long}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %.300q, %v", got, err)
	}
	for _, bad := range []string{"\x80", "\xbe", "\xff\xff\xff\xff\xff\xff", "\x40", "\x40\x05ab", "\x3f\xe1\x1f", "\x7f\x80", "\x00\x01a"} {
		if got, err := fields(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

// What we write is what others read.
func TestAppendFields(t *testing.T) {
	long := strings.Repeat("x", 5000)
	block := appendLiteral(appendLiteral(appendLiteral(nil, ":method", "POST"), "name", long), strings.Repeat("n", 127), "")
	var got []string
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) { got = append(got, f.Name+"="+f.Value) })
	if _, err := decoder.Write(block); err != nil {
		t.Fatal(err)
	}
	if want := []string{":method=POST", "name=" + long, strings.Repeat("n", 127) + "="}; !slices.Equal(got, want) {
		t.Errorf("got %.300q", got)
	}
}

func FuzzHeaderFields(f *testing.F) {
	f.Add([]byte("\x88\x5f\x8b\x1d\x75\xd0\x62\x0d\x26\x3d\x4c\x4d\x65\x64"))
	f.Add([]byte("\x20\x40\x0bgrpc-status\x010"))
	f.Fuzz(func(t *testing.T, block []byte) {
		// What both take they read the same way.
		ours, err := fields(string(block))
		var theirs []string
		decoder := hpack.NewDecoder(0, func(f hpack.HeaderField) { theirs = append(theirs, f.Name+"="+f.Value) })
		_, theirErr := decoder.Write(block)
		if theirErr == nil {
			theirErr = decoder.Close()
		}
		if err != nil || theirErr != nil {
			return
		}
		kept := slices.DeleteFunc(theirs, func(s string) bool { return !strings.HasPrefix(s, ":status=") })
		own := slices.DeleteFunc(ours, func(s string) bool { return !strings.HasPrefix(s, ":status=") })
		if fmt.Sprint(kept) != fmt.Sprint(own) {
			t.Errorf("%x: %q, another reads %q", block, own, kept)
		}
	})
}

// No server can make the reader panic, or read for ever.
func FuzzCheckHealth(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x07\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x0e\x01\x05\x00\x00\x00\x01\x00\x0bgrpc-status\x010"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r, err := checkHealth(struct {
			*bytes.Reader
			discard
		}{bytes.NewReader(answer), discard{}}, "http", "a:1", "s")
		if err == nil && r.code < 0 {
			t.Errorf("%x: no error and no code", answer)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
