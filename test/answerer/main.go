// Command answerer is what the tests put into pods to be probed: it answers on one port over HTTP/1, over HTTP/2 in clear
// text and as a gRPC health service, and on another one over TLS.
//
//	answerer [-port N] [-tls N] [-sick FILE] [-says WORD]
//
// /healthz is well until the file of -sick is there. /to?URL redirects, /hang never answers, and /seen lists the requests so
// far. A gRPC service is named after the answer that it gives. With a word to say /word says it, after a moment, and SIGTERM
// lets what was asked be answered first.
//
//	answerer keyring [add NAME]... [find NAME]... [look SERIAL]...
//
// says what the session keyring of the process is, and what comes of adding a key to it, of finding one, and of looking at any
// other.
//
//	answerer moments
//
// asks the answerer at port 8080 when it was asked for /healthz, in nanoseconds of CLOCK_MONOTONIC, and says it.
//
//	answerer ping
//
// says whether the process may send pings without privileges (man 7 icmp, ping_group_range).
//
//	answerer syscalls NUMBER...
//
// makes system calls with arguments that none of them takes, and says what comes of each.
//
//	answerer confinement
//
// says what confines the process.
//
//	answerer steal
//
// tries for ever to overwrite the programs that others run in its container.
//
//	answerer hugepages N
//
// takes up to N huge pages of 2 MiB, and says how many it got and why not more.
//
//	answerer swap A B
//
// exchanges two names for ever.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

type answerer struct {
	sick, says string

	mu      sync.Mutex
	seen    []string
	moments []int64
}

func main() {
	port := flag.Int("port", 8080, "the `port` of HTTP and gRPC")
	secure := flag.Int("tls", 0, "the `port` of HTTPS; 0: none")
	a := &answerer{}
	flag.StringVar(&a.sick, "sick", "/sick", "the `file` that makes it ill")
	flag.StringVar(&a.says, "says", "", "what /word says")
	flag.Parse()
	switch flag.Arg(0) {
	case "moments":
		if err := sayMoments(); err != nil {
			fmt.Fprintln(os.Stderr, "answerer:", err)
			os.Exit(1)
		}
		return
	case "keyring":
		tryKeyring(flag.Args()[1:])
		return
	case "syscalls":
		for _, arg := range flag.Args()[1:] {
			var nr uintptr
			if _, err := fmt.Sscan(arg, &nr); err != nil {
				fmt.Fprintln(os.Stderr, "answerer:", err)
				os.Exit(1)
			}
			const none = ^uintptr(0)
			_, _, errno := unix.RawSyscall6(nr, none, none, none, none, none, none)
			fmt.Println(arg, unix.ErrnoName(errno))
		}
		return
	case "confinement":
		printConfinement()
		return
	case "hugepages":
		takeHugePages(flag.Arg(1))
		return
	case "steal":
		stealExecutables()
	case "swap":
		swap(flag.Arg(1), flag.Arg(2))
	case "ping":
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP)
		fmt.Println(outcome(err))
		return
	}
	ended := make(chan error)
	go func() { ended <- a.serve(*port, nil) }()
	if *secure != 0 {
		certificate, err := selfSigned()
		if err != nil {
			fmt.Fprintln(os.Stderr, "answerer:", err)
			os.Exit(1)
		}
		go func() { ended <- a.serve(*secure, certificate) }()
	}
	fmt.Fprintln(os.Stderr, "answerer:", <-ended)
	os.Exit(1)
}

func (a *answerer) serve(port int, certificate *tls.Certificate) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	fmt.Printf("answers at %d\n", port)
	server := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	if a.says != "" {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, unix.SIGTERM)
		go func() {
			<-stop
			_ = server.Shutdown(context.Background())
			os.Exit(0)
		}()
	}
	if certificate == nil {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		select {} // until what was asked is answered
	}
	server.Protocols.SetHTTP2(true)
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	return server.ServeTLS(listener, "", "")
}

func (a *answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.seen = append(a.seen, fmt.Sprintf("%s %s %s Host=%s User-Agent=%s X-Own=%s", r.Proto, r.Method, r.URL, r.Host, r.UserAgent(), r.Header.Get("X-Own")))
	all := strings.Join(a.seen, "\n")
	a.mu.Unlock()
	switch {
	case r.Header.Get("Content-Type") == "application/grpc":
		a.check(w, r)
	case r.URL.Path == "/moments":
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, at := range a.moments {
			fmt.Fprintln(w, at)
		}
	case r.URL.Path == "/healthz":
		a.noteMoment()
		if a.isSick() {
			http.Error(w, "sick", http.StatusInternalServerError)
		}
	case r.URL.Path == "/to":
		http.Redirect(w, r, r.URL.RawQuery, http.StatusFound)
	case r.URL.Path == "/hang":
		<-r.Context().Done()
	case r.URL.Path == "/word":
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(w, a.says)
	case r.URL.Path == "/seen":
		fmt.Fprintln(w, all)
	default:
		http.NotFound(w, r)
	}
}

func (a *answerer) noteMoment() {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // it is there
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moments = append(a.moments, ts.Nano())
}

func sayMoments() error {
	r, err := http.Get("http://127.0.0.1:8080/moments")
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	_, err = io.Copy(os.Stdout, r.Body)
	return err
}

func (a *answerer) isSick() bool {
	_, err := os.Stat(a.sick)
	return err == nil
}

// check is grpc.health.v1.Health/Check.
func (a *answerer) check(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	status, code := byte(1), "0"
	switch {
	case strings.HasSuffix(string(body), "down"), a.isSick():
		status = 2
	case strings.HasSuffix(string(body), "missing"):
		code = "5"
	case strings.HasSuffix(string(body), "hang"):
		<-r.Context().Done()
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", code)
	if code == "0" {
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, status})
	}
}

// selfSigned makes a certificate that nobody would trust.
func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"nobody.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
