// Package dns is the resolver of a node's pods: it answers what the node itself knows (Services, pods, their
// addresses backwards) and forwards the rest to the host's name servers, with a cache that goes on answering
// when those are out of reach.
//
// Nothing runs in it while nobody asks: every goroutine waits in a socket.
//
// Sources: RFC 1035 and 2308 (messages, negative answers), 6891 (EDNS), 7766 (TCP), 8767 (stale answers),
// https://github.com/kubernetes/dns/blob/master/docs/specification.md (names).
package dns
