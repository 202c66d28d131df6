// Package images turns image archives into directories that overlayfs can mount.
//
// An archive (OCI layout or docker-archive, a folder, a file or a stream) is read once; every layer is unpacked into a
// directory of its own, named after its content and shared by all images that hold it. There is no copy of the archive
// and no blob store: what is on flash is what containers run from, and one small JSON file an image.
//
// Several processes may use one store at a time. Nothing half-done is ever visible: a load that fails, or a machine that
// loses power, leaves the store as it was.
package images
