// Package distribution gives the images of a store to other machines, as a registry that can only be read.
//
// It speaks the OCI distribution specification 1.1 as far as that is about pulling. Layers are put together from the unpacked
// files, as plain tars; so an image has a manifest of its own here, unless its layers came uncompressed.
package distribution
