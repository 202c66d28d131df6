// Package registry reads images from registries: it finds out which hosts a name may come from and as whom, and gives
// documents and layers byte by byte over networks that break.
//
// It is the only package that knows github.com/google/go-containerregistry, which it uses for the handshake (ping, basic
// and bearer authentication, refreshing of tokens). What is on the wire is podd's own: below the library a RoundTripper
// that is patient, above it a reader of blobs that goes on where it stopped.
//
// Whatever a registry says is input from a stranger: documents are bounded and verified by digest, redirects do not leave
// TLS, and no error text carries credentials or signed addresses.
package registry
