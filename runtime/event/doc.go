// Package event records Kubernetes Events: what happened to a pod, told to people.
//
// Equal ones are counted and similar ones combined as client-go's EventCorrelator
// does, with one difference: there is no rate at which events of one object are
// dropped, since no API server must be protected; the number kept is bounded
// instead and the one that happened longest ago goes first. There is no age at
// which they go either: a board's clock jumps from 1970 to today.
package event
