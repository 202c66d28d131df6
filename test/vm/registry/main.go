// Command registry serves images of its own making on the loopback of a virtual machine:
//
//	registry [-delay D] [-tls DIR -from DATE] ADDRESS TAG…
//
// Each TAG is of the repository app and has busybox and layers of noise, the same at each start. GET /served says how many
// bytes of layers were sent.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"hash/fnv"
	"math/big"
	prng "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run() error {
	r := registrytest.New()
	flag.DurationVar(&r.Delay, "delay", 0, "before each 32 KiB of a layer")
	folder := flag.String("tls", "", "where the `folder` is that gets its certificate as ca.crt")
	from := flag.String("from", "", "the `date` from which on that is valid")
	flag.Parse()
	files, err := imagetest.BusyboxFiles()
	if err != nil {
		return err
	}
	for _, tag := range flag.Args()[1:] {
		layers := []imagetest.Layer{{Files: files}, noise("common", 2<<20)}
		for i := range 3 {
			layers = append(layers, noise(fmt.Sprint(tag, i), (2+3*i)<<20))
		}
		img := imagetest.Image{Config: imagetest.Config{Cmd: []string{"/bin/sleep", "100000"}}, Layers: layers}
		if _, err := r.Put("app", tag, img); err != nil {
			return err
		}
	}
	server := &http.Server{Addr: flag.Arg(0), Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/served" {
			fmt.Fprintln(w, r.Served())
			return
		}
		r.ServeHTTP(w, q)
	}), ReadHeaderTimeout: time.Minute}
	if *folder == "" {
		return server.ListenAndServe()
	}
	host, _, err := net.SplitHostPort(flag.Arg(0))
	if err != nil {
		return err
	}
	cert, key, err := certify(net.ParseIP(host), *folder, *from)
	if err != nil {
		return err
	}
	return server.ListenAndServeTLS(cert, key)
}

// noise does not compress: a few files and a large one.
func noise(name string, size int) imagetest.Layer {
	sum := fnv.New64()
	_, _ = sum.Write([]byte(name)) // never fails (hash.Hash)
	seed := sum.Sum64()
	r := prng.New(prng.NewPCG(seed, seed))
	data := make([]byte, size)
	for i := 0; i+8 <= len(data); i += 8 {
		n := r.Uint64()
		for j := range 8 {
			data[i+j] = byte(n >> (8 * j))
		}
	}
	files := []imagetest.File{imagetest.Dir("noise/"), imagetest.Dir("noise/" + name + "/")}
	for i := range 20 {
		files = append(files, imagetest.Regular(fmt.Sprintf("noise/%s/%d", name, i), string(data[i*100:(i+1)*1000])))
	}
	return imagetest.Layer{Files: append(files, imagetest.Regular("noise/"+name+"/large", string(data)))}
}

// certify makes a certificate for this machine, which is its own authority.
func certify(address net.IP, folder, from string) (cert, key string, err error) {
	begin, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return "", "", err
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registry of a test"}, IPAddresses: []net.IP{address},
		NotBefore: begin, NotAfter: begin.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		return "", "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(folder, "ca.crt"), filepath.Join(folder, "key.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return "", "", err
	}
	return cert, key, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
