package probe

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve answers in the namespace.
func (s *space) serve(t *testing.T, h http.Handler) Target {
	t.Helper()
	l := s.listen(t)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return s.target(l)
}

func (s *space) serveTLS(t *testing.T, h http.Handler) Target {
	t.Helper()
	l := s.listen(t)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return s.target(l)
}

func request(t Target, scheme, path string, headers ...Header) HTTP {
	return HTTP{Netns: t.Netns, URL: URLOf(scheme, t.Host, t.Port, path), Headers: headers, UserAgent: UserAgent}
}

func TestHTTPStatus(t *testing.T) {
	space := newSpace(t)
	at := space.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		if status != 204 && status != 304 {
			_, _ = fmt.Fprintf(w, "body of %d", status)
		}
	}))
	for status, want := range map[int]Result{
		200: Success, 204: Success, 299: Success, 300: Warning, 301: Warning, 304: Warning, 399: Warning, 400: Failure, 404: Failure, 500: Failure, 503: Failure, 599: Failure,
	} {
		result, text := request(at, "HTTP", fmt.Sprintf("/%d", status)).Check(within(plenty))
		if result != want {
			t.Errorf("%d: %s, %s", status, result, text)
		}
		sentence := ""
		switch want {
		case Failure:
			sentence = fmt.Sprintf("HTTP probe failed with statuscode: %d", status)
		case Warning:
			sentence = "Probe terminated redirects, Response body: "
			if status != 304 {
				sentence += fmt.Sprintf("body of %d", status)
			}
		case Success, Unknown:
		}
		if text != sentence {
			t.Errorf("%d says %q, want %q", status, text, sentence)
		}
	}
}

func TestHTTPRequest(t *testing.T) {
	space := newSpace(t)
	var got *http.Request
	at := space.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	for _, tc := range []struct {
		name    string
		path    string
		headers []Header
		want    func(r *http.Request) string
	}{
		{"plain", "/healthz?full=1&b=%20#part", nil, func(r *http.Request) string {
			return fmt.Sprint(r.Method, r.RequestURI, r.Host == at.String(), r.Header["User-Agent"], r.Header["Accept"], r.Header["Accept-Encoding"], r.Close)
		}},
		{"headers", "/", []Header{{"x-a", "1"}, {"X-A", "2"}, {"User-Agent", "me"}, {"Accept", ""}, {"Host", "some.example"}}, func(r *http.Request) string {
			return fmt.Sprint(r.Header["X-A"], r.Header["User-Agent"], r.Header["Accept"], r.Host)
		}},
		{"no smuggling", "/", []Header{{"X-A", "1\r\nX-B: 2"}}, func(r *http.Request) string { return fmt.Sprint(r.Header["X-A"], r.Header["X-B"]) }},
		{"no slash", "healthz", nil, func(r *http.Request) string { return r.RequestURI }},
		{"no URL", "/a b%zz", nil, func(r *http.Request) string { return r.RequestURI }},
	} {
		if result, text := request(at, "HTTP", tc.path, tc.headers...).Check(within(plenty)); result != Success {
			t.Errorf("%s: %s, %s", tc.name, result, text)
			continue
		}
		want := map[string]string{
			"plain":        "GET/healthz?full=1&b=%20true [kube-probe/1.37] [*/*] [] true",
			"headers":      "[1 2] [me] []some.example",
			"no smuggling": "[1 X-B: 2] []",
			"no slash":     "/healthz",
			"no URL":       "/a%20b%25zz",
		}[tc.name]
		if text := tc.want(got); text != want {
			t.Errorf("%s: the server saw %s, want %s", tc.name, text, want)
		}
	}
}

// Redirects are followed on the host of the probe, to another port and to https too; elsewhere they are a warning.
//
// Source: kubernetes, pkg/probe/http, RedirectChecker.
func TestHTTPRedirects(t *testing.T) {
	space := newSpace(t)
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Own") != "kept" {
			w.WriteHeader(400)
		}
	})
	other, secure := space.serve(t, ok), space.serveTLS(t, ok)
	at := space.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/well":
			ok(w, r)
			return
		case "/relative":
			w.Header().Set("Location", "well")
		case "/bad":
			w.Header().Set("Location", "/broken")
		case "/broken":
			w.WriteHeader(500)
			return
		case "/port":
			w.Header().Set("Location", "http://"+other.String()+"/")
		case "/secure":
			w.Header().Set("Location", "https://"+secure.String()+"/")
		case "/elsewhere":
			w.Header().Set("Location", "http://0.0.0.0/")
		case "/loop":
			w.Header().Set("Location", "/loop")
		case "/strange":
			w.Header().Set("Location", "http://[")
		}
		w.WriteHeader(302)
	}))
	for path, want := range map[string]string{
		"/relative":  "Success ",
		"/port":      "Success ",
		"/secure":    "Success ",
		"/bad":       "Failure HTTP probe failed with statuscode: 500",
		"/elsewhere": "Warning Probe terminated redirects, Response body: ",
		"/nowhere":   "Warning Probe terminated redirects, Response body: ",
		"/loop":      "Failure Get \"http://" + at.String() + "/loop\": stopped after 10 redirects",
		"/strange":   "Failure Get \"http://" + at.String() + "/strange\": failed to parse Location header \"http://[\": parse \"http://[\": missing ']' in host",
	} {
		result, text := request(at, "HTTP", path, Header{"X-Own", "kept"}).Check(within(plenty))
		if got := string(result) + " " + text; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestHTTPS(t *testing.T) {
	space := newSpace(t)
	at := space.serveTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	// The certificate is nobody's.
	if result, text := request(at, "HTTPS", "/").Check(within(plenty)); result != Success {
		t.Errorf("%s: %s", result, text)
	}
	if result, text := request(at, "HTTP", "/").Check(within(plenty)); result != Failure || text != "HTTP probe failed with statuscode: 400" {
		t.Errorf("plain HTTP to a TLS port: %s: %s", result, text)
	}
	plain := space.serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if result, text := request(plain, "HTTPS", "/").Check(within(plenty)); result != Failure || !strings.Contains(text, "first record does not look like a TLS handshake") {
		t.Errorf("TLS to a plain port: %s: %s", result, text)
	}
}

// raw answers each connection with the same bytes and then hangs or hangs up.
func (s *space) raw(t *testing.T, bytes string, hang bool) Target {
	t.Helper()
	l := s.listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, bytes)
			if hang {
				t.Cleanup(func() { _ = c.Close() })
				continue
			}
			_ = c.Close()
		}
	}()
	return s.target(l)
}

func TestHTTPOddServers(t *testing.T) {
	space := newSpace(t)
	const timeout = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
	for name, tc := range map[string]struct {
		answer string
		hang   bool
		want   string
	}{
		"silence":                 {"", true, "Failure " + timeout},
		"half a head":             {"HTTP/1.1 200 OK\r\nX-A", true, "Failure " + timeout},
		"half a body":             {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true, "Failure " + timeout},
		"cut body":                {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false, "Failure unexpected EOF"},
		"hangs up":                {"", false, "Failure EOF"},
		"no HTTP":                 {"SSH-2.0-OpenSSH\r\n", true, "Failure malformed HTTP response \"SSH-2.0-OpenSSH\""},
		"HTTP/1.0 without length": {"HTTP/1.0 200 OK\r\n\r\nfine", false, "Success "},
		"interim answers":         {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true, "Success "},
		"endless interim answers": {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), true, "Failure net/http: too many 1xx informational responses"},
		"other protocol":          {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", true, "Failure HTTP probe failed with statuscode: 101"},
		"chunks":                  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", true, "Success "},
		"endless body":            {"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<20), true, "Success "},
		"long warning":            {"HTTP/1.1 300 Many\r\n\r\n" + strings.Repeat("x", 1<<20), true, "Warning Probe terminated redirects, Response body: " + strings.Repeat("x", maxBody)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := space.raw(t, tc.answer, tc.hang)
			limit := plenty
			if strings.HasSuffix(tc.want, timeout) {
				limit = 200 * time.Millisecond
			}
			result, text := request(at, "HTTP", "/").Check(within(limit))
			text = strings.TrimPrefix(text, fmt.Sprintf("Get %q: ", "http://"+at.String()+"/"))
			if got := string(result) + " " + text; got != tc.want {
				t.Errorf("got %.200s, want %.200s", got, tc.want)
			}
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	space := newSpace(t)
	shut := space.closed(t)
	result, text := request(shut, "HTTP", "/healthz").Check(within(plenty))
	want := fmt.Sprintf("Get %q: dial tcp %s: connect: connection refused", "http://"+shut.String()+"/healthz", shut)
	if result != Failure || text != want {
		t.Errorf("%s, %q, want %q", result, text, want)
	}
}

// A hook is done once it is answered.
func TestHTTPGet(t *testing.T) {
	space := newSpace(t)
	at := space.serve(t, http.NotFoundHandler())
	if err := request(at, "HTTP", "/").Get(within(plenty)); err != nil {
		t.Error(err)
	}
	if err := request(space.closed(t), "HTTP", "/").Get(within(plenty)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody answers: %v", err)
	}
}

func BenchmarkHTTP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	at := Target{Netns: "/proc/thread-self/ns/net", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	b.ReportAllocs()
	for b.Loop() {
		if result, text := request(at, "HTTP", "/healthz").Check(within(plenty)); result != Success {
			b.Fatal(text)
		}
	}
}
