// Package api serves podd's pods on a unix socket with the paths, objects and words of
// the Kubernetes API, so that podd's own commands and kubectl are clients of one thing.
package api

import (
	"context"
	"io"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/kinds"
	"podd/runtime/api/stream"
)

// Backend is what the server shows and asks: the runtime. Objects that it hands out are
// immutable from then on; errors that carry a metav1.Status (see NotFound, AsNotFound, AsConflict, AsBadRequest and
// k8s.io/apimachinery/pkg/api/errors) reach the client as that, all others as code 500.
type Backend interface {
	kinds.Source
	// Logs writes the log that o asks for. The server has filled in o.Container and has
	// checked that this container has a log. A log that is followed is written to at once, be it nothing: until then an
	// error reaches the client in words.
	Logs(ctx context.Context, namespace, name string, o *corev1.PodLogOptions, w io.Writer) error
	// Exec runs o.Command and returns its exit code (128+n for signal n). The server has
	// filled in o.Container and has checked that this container runs. ctx ends when the
	// client goes away.
	Exec(ctx context.Context, namespace, name string, o *corev1.PodExecOptions, s stream.Streams) (exitCode int, err error)
	// Attach connects a client with the first process of a container, of which the server has checked that it runs, until
	// that ends or the client goes away, which ends ctx too.
	Attach(ctx context.Context, namespace, name, container string, s stream.Streams) error
	// Dial connects to a TCP port on a pod's localhost.
	Dial(ctx context.Context, namespace, name string, port uint16) (net.Conn, error)
	// DeletePod ends a pod, or says why it cannot.
	DeletePod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error
	// EvictPod ends a pod if its disruption budgets let it go now; the error has code 429 if they do not. A dry run only asks.
	EvictPod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error
	// AddEphemeral adds ephemeral containers to a pod. whole: list is all that it is to have, otherwise more of them.
	AddEphemeral(ctx context.Context, namespace, name string, list []corev1.EphemeralContainer, whole, dryRun bool) error
	// SetConditions sets conditions that podd does not set itself. The server has checked them.
	SetConditions(ctx context.Context, namespace, name string, conditions []corev1.PodCondition) error
	// DeleteClaim removes what a persistent volume claim holds.
	DeleteClaim(ctx context.Context, namespace, name string) error
	// BackupClaim writes what a claim holds as a tar archive.
	BackupClaim(ctx context.Context, namespace, name string, w io.Writer) error
	// RestoreClaim replaces what a claim holds by a tar archive.
	RestoreClaim(ctx context.Context, namespace, name string, r io.Reader) error
	// SetWorkload sets a field of a workload until its file changes that field.
	SetWorkload(ctx context.Context, o WorkloadName, c *WorkloadChange) error
	// RestartWorkload gives all pods of a workload successors.
	RestartWorkload(ctx context.Context, o WorkloadName, dryRun bool) error
	// UndoWorkload puts the template of an earlier revision back, and says what it did.
	UndoWorkload(ctx context.Context, o WorkloadName, to *WorkloadUndo) (said string, err error)
	// Images lists the images of the store.
	Images() []ImageInfo
	// LoadImage reads an archive of images into the store.
	LoadImage(ctx context.Context, r io.Reader, o ImageLoad) ([]ImageInfo, error)
	// PullImage brings an image from a registry; step is told how it goes on, from one goroutine at a time.
	PullImage(ctx context.Context, o ImagePull, step func(PullStep)) (ImageInfo, error)
	// RemoveImage removes an image by name or ID; it returns the names and IDs that went.
	RemoveImage(ref string) ([]string, error)
	ImageKeeper
	// SetUnschedulable lets the machine take no new pods of controllers, until its next boot or not, or take them again.
	SetUnschedulable(ctx context.Context, unschedulable, untilBoot bool) error
	// OpenID returns what a verifier of tokens needs: the document of discovery, and the keys as JWKS.
	OpenID(ctx context.Context) (discovery, keys []byte, err error)
}

// ImageInfo is one image of the store as the API shows it.
type ImageInfo struct {
	ID       string    `json:"id"`               // "sha256:" and the digest of its configuration
	Names    []string  `json:"names,omitempty"`  // normalised, with tag or digest
	Digest   string    `json:"digest,omitempty"` // of its manifest
	Size     int64     `json:"size"`             // bytes
	Created  time.Time `json:"created"`
	Platform string    `json:"platform,omitempty"` // as "linux/arm64"
	// SignedBy are the keys of the policy whose signatures counted when the image was judged last.
	SignedBy []string `json:"signedBy,omitempty"`
}

// ImagePull says what to pull.
type ImagePull struct {
	Name     string
	Platform string // "linux/arm64"; "": this machine's
}

// PullStep is a line of the answer to a pull, and to the load of a file. The last one has the image or the error.
type PullStep struct {
	Status  string     `json:"status,omitempty"` // waiting, resolving, found, pulling
	Host    string     `json:"host,omitempty"`   // where it comes from
	Layer   string     `json:"layer,omitempty"`  // digest
	Current int64      `json:"current,omitempty"`
	Total   int64      `json:"total,omitempty"` // bytes of the layer; 0: unknown
	Image   *ImageInfo `json:"image,omitempty"`
	Error   string     `json:"error,omitempty"`
	// Reason is that of a Status, of what went wrong with a load.
	Reason metav1.StatusReason `json:"reason,omitempty"`
}

// ImageLoad says how to load an archive.
type ImageLoad struct {
	Name   string // given to an image whose archive names none
	Source string // what messages call the archive; "": the archive
	// Read is told of each piece of the archive how many bytes it has, by several goroutines; nil: nobody wants to know.
	Read func(n int)
}
