// Package service works out what Services mean: which pods are behind them, what the kernel is to forward, and which
// names there are. Build is pure: no I/O, no clock, no memory but what it is given; Syncer carries out what it says.
package service
