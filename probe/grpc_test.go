package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// healthServer speaks HTTP/2 as Go's own server does, and the health protocol by hand.
func (s *space) healthServer(t *testing.T, h http.Handler) Target {
	t.Helper()
	l := s.listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go (&http2.Server{}).ServeConn(c, &http2.ServeConnOpts{Handler: h})
		}
	}()
	return s.target(l)
}

// health answers for each service with a status, or with a gRPC code and a message.
func health(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Te") != "trailers" ||
		r.Header.Get("Content-Type") != "application/grpc" || len(body) < 5 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
		http.Error(w, "no gRPC", http.StatusTeapot)
		return
	}
	service := ""
	if len(body) > 7 {
		service = string(body[7:])
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("X-Long", strings.Repeat("much to say ", 200))
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	answer := func(status byte) { _, _ = w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, status}) }
	switch service {
	case "":
		answer(1)
	case "named":
		w.(http.Flusher).Flush()
		answer(1)
	case "down":
		answer(2)
	case "unknown":
		_, _ = w.Write([]byte{0, 0, 0, 0, 0}) // the zero status is left out
	case "extended": // fields that nobody knows yet, of each wire type
		_, _ = w.Write([]byte{0, 0, 0, 0, 23, 1 << 3, 1, 2<<3 | 2, 3, 'a', 'b', 'c', 3<<3 | 5, 1, 2, 3, 4, 4<<3 | 1, 1, 2, 3, 4, 5, 6, 7, 8, 5 << 3, 0})
	case "torn":
		_, _ = w.Write([]byte{0, 0, 0, 0, 9, 1 << 3})
	case "missing":
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "5")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "unknown service 100%25")
	case "strange":
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "99")
	case "headers only":
		w.Header().Set("Grpc-Status", "14")
		w.Header().Set("Grpc-Message", "later")
		w.Header().Del(http.TrailerPrefix + "Grpc-Status")
	case "none":
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "12")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "unknown method Check")
	case "no gRPC":
		w.Header().Del(http.TrailerPrefix + "Grpc-Status")
		http.NotFound(w, r)
	case "late":
		<-r.Context().Done()
	case "aborted":
		panic(http.ErrAbortHandler)
	case "much":
		for range 100 {
			_, _ = w.Write(make([]byte, 1<<10))
		}
	}
}

func TestGRPC(t *testing.T) {
	space := newSpace(t)
	at := space.healthServer(t, http.HandlerFunc(health))
	for service, want := range map[string]string{
		"":             "Success service healthy",
		"named":        "Success service healthy",
		"extended":     "Success service healthy",
		"down":         `Failure service unhealthy (responded with "NOT_SERVING")`,
		"unknown":      `Failure service unhealthy (responded with "UNKNOWN")`,
		"missing":      "Failure error: health rpc probe failed: rpc error: code = NotFound desc = unknown service 100%",
		"strange":      "Failure error: health rpc probe failed: rpc error: code = Code(99) desc = ",
		"headers only": "Failure error: health rpc probe failed: rpc error: code = Unavailable desc = later",
		"none":         "Failure error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown method Check",
		"no gRPC":      "Failure error: health rpc probe failed: unexpected HTTP status code received from server: 404",
		"torn":         "Failure error: health rpc probe failed: bad message from the health service",
		"late":         "Failure timeout: health rpc did not complete within 1s",
		"aborted":      "Failure error: health rpc probe failed: the server has ended the call: HTTP/2 error 2",
		"much":         "Failure error: health rpc probe failed: bad HTTP/2 frame: the answer is too long",
	} {
		t.Run("service "+service, func(t *testing.T) {
			t.Parallel()
			limit := plenty
			if service == "late" {
				limit = time.Second
			}
			result, text := GRPC(within(limit), at, service, false)
			if got := string(result) + " " + text; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestGRPCOddServers(t *testing.T) {
	space := newSpace(t)
	shut := space.closed(t)
	silent := space.listen(t)
	hung(t, silent)
	for name, tc := range map[string]struct {
		at   Target
		want string
	}{
		"nobody":        {shut, fmt.Sprintf("Failure error: failed to connect service at %q: dial tcp %s: connect: connection refused", shut, shut)},
		"silence":       {space.target(silent), "Failure timeout: health rpc did not complete within 1s"},
		"HTTP/1":        {space.raw(t, "HTTP/1.1 400 Bad Request\r\n\r\n", true), "Failure error: health rpc probe failed: the server speaks HTTP/1, not HTTP/2"},
		"hangs up":      {space.raw(t, "", false), "Failure error: health rpc probe failed: the server closed the connection before it answered"},
		"nonsense":      {space.raw(t, strings.Repeat("\xff", 100), true), "Failure error: health rpc probe failed: bad HTTP/2 frame: of more than 16384 bytes"},
		"is going away": {space.raw(t, "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0b", true), "Failure error: health rpc probe failed: the server does not take the call: HTTP/2 error 11"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := plenty
			if name == "silence" {
				limit = time.Second
			}
			result, text := GRPC(within(limit), tc.at, "", false)
			if got := string(result) + " " + text; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestGRPCOverTLS(t *testing.T) {
	space := newSpace(t)
	l := space.listen(t)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(health), ErrorLog: log.New(io.Discard, "", 0)}}
	if err := http2.ConfigureServer(server.Config, nil); err != nil {
		t.Fatal(err)
	}
	server.TLS = server.Config.TLSConfig
	server.StartTLS()
	t.Cleanup(server.Close)
	if result, text := GRPC(within(plenty), space.target(l), "named", true); result != Success {
		t.Errorf("%s, %s", result, text)
	}
	if result, text := GRPC(within(plenty), space.target(l), "named", false); result != Failure {
		t.Errorf("clear text to a TLS port: %s, %s", result, text)
	}
}

// An httpGet probe of protocol HTTP2 is judged as one of HTTP/1.
func TestHTTP2(t *testing.T) {
	space := newSpace(t)
	at := space.healthServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor != 2 || r.Method != http.MethodGet || r.Host != "some.example" || r.Header.Get("X-A") != "1" || r.UserAgent() != UserAgent:
			w.WriteHeader(400)
		case r.URL.Path == "/well":
			_, _ = w.Write(make([]byte, 1<<20))
		case r.URL.Path == "/there":
			w.Header().Set("Location", "/well")
			w.WriteHeader(302)
		case r.URL.Path == "/elsewhere":
			w.Header().Set("Location", "http://0.0.0.0/")
			w.WriteHeader(302)
			_, _ = io.WriteString(w, "gone away")
		default:
			w.WriteHeader(503)
		}
	}))
	for path, want := range map[string]string{
		"/well?a=b":  "Success ",
		"/there":     "Success ",
		"/elsewhere": "Warning Probe terminated redirects, Response body: gone away",
		"/bad":       "Failure HTTP probe failed with statuscode: 503",
	} {
		h := request(at, "HTTP", path, Header{"Host", "some.example"}, Header{"X-A", "1"}, Header{"Connection", "close"})
		h.HTTP2 = true
		result, text := h.Check(within(plenty))
		if got := string(result) + " " + text; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
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
