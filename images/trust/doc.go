// Package trust decides whether an image may run: by a policy in the form of containers' policy.json
// (containers-policy.json(5)) and by signatures that cosign makes with a key.
//
// Policy.Check is pure: it has no clock, no files and no network. What a signature is worth is decided anew whenever a pod
// is about to start, so that a key that was taken out of the policy counts no more. Collect fetches signatures through the
// interface Registry, and Verifiers runs the programs of containerd's contract for image verifiers.
package trust
