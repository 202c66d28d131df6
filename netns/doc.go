// Package netns gives a pod its place on the network.
//
// A [Network] is one bridge with a gateway address, one lease file
// per address, one veth pair per pod, and one nftables table that masquerades what leaves.
//
// Every verb can be repeated, and finishes what a crash left half done.
package netns
