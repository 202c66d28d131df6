package probe

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// healthAnswer is what Go's gRPC server sends to a health check.
func healthAnswer(b *testing.B) []byte {
	b.Helper()
	var wire, block bytes.Buffer
	framer, encoder := http2.NewFramer(&wire, nil), hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSizeLimit(0)
	headers := func(end bool, pairs ...string) error {
		block.Reset()
		for i := 0; i < len(pairs); i += 2 {
			if err := encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
				return err
			}
		}
		return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	body := append(binary.BigEndian.AppendUint32([]byte{0}, 2), 1<<3, serving)
	for _, err := range []error{
		framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}),
		framer.WriteSettingsAck(),
		framer.WriteWindowUpdate(0, 5),
		framer.WritePing(false, [8]byte{2, 4, 16, 16, 9, 14, 7, 7}),
		headers(false, ":status", "200", "content-type", "application/grpc"),
		framer.WriteData(1, false, body),
		headers(true, "grpc-status", "0", "grpc-message", ""),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return wire.Bytes()
}

// BenchmarkCheckHealth is what a gRPC probe costs beside its connection.
func BenchmarkCheckHealth(b *testing.B) {
	answer := healthAnswer(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := checkHealth(struct {
			*bytes.Reader
			discard
		}{bytes.NewReader(answer), discard{}}, "http", "10.0.0.1:8080", "s")
		if err != nil || r.serving != serving {
			b.Fatal(r, err)
		}
	}
}
