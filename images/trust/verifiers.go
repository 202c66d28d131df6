package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podd/internal/program"
)

// Verifiers are the programs in a folder that each must accept an image: containerd's contract
// (containerd, docs/image-verification.md). An image runs if all exit with 0.
type Verifiers struct {
	Dir     string
	Most    int           // of programs, 0 is 10
	Timeout time.Duration // for each, 0 is 10 s
}

const (
	mostVerifiers   = 10
	verifierTimeout = 10 * time.Second
	maxReason       = 32 << 10
	// MediaTypeManifest is what a manifest is said to be where nobody has noted it.
	MediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
)

// Target is an image as verifiers are told of it.
type Target struct {
	Name      string
	MediaType string
	Digest    string
	Size      int64
}

// Any says that there are verifiers. A folder that is missing holds none.
func (v Verifiers) Any() (bool, error) {
	names, err := v.list()
	return len(names) > 0, err
}

func (v Verifiers) list() ([]string, error) {
	if v.Dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(v.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the verifiers of images: %w", err)
	}
	most := v.Most
	if most == 0 {
		most = mostVerifiers
	}
	if len(entries) > most {
		return nil, fmt.Errorf("%s has %d files and at most %d verifiers of images may be there", v.Dir, len(entries), most)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Verify asks one program after the other. The error is ErrRejected, also when a program could not be asked: who cannot be
// asked has not accepted.
func (v Verifiers) Verify(ctx context.Context, t Target) error {
	names, err := v.list()
	if err != nil {
		return rejectf("image %s is not allowed: %w", t.Name, err)
	}
	for _, name := range names {
		if err := v.ask(ctx, name, t); err != nil {
			return rejectf("image %s is not allowed: %w", t.Name, err)
		}
	}
	return nil
}

func (v Verifiers) ask(ctx context.Context, name string, t Target) error {
	timeout := v.Timeout
	if timeout == 0 {
		timeout = verifierTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stdin, err := json.Marshal(map[string]any{"mediaType": t.MediaType, "digest": t.Digest, "size": t.Size})
	if err != nil {
		return err
	}
	r, err := program.Run(ctx, program.Command{
		Path:  filepath.Join(v.Dir, name),
		Args:  []string{"-name", t.Name, "-digest", t.Digest, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"},
		Stdin: append(stdin, '\n'), MaxOutput: maxReason,
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the verifier %s has not answered within %v", name, timeout)
	}
	if err != nil {
		return fmt.Errorf("the verifier %s: %w", name, err)
	}
	if r.ExitCode != 0 {
		reason := strings.Join(strings.Fields(string(r.Stdout)), " ")
		if len(reason) > 300 {
			reason = reason[:300] + "..."
		}
		return fmt.Errorf("verifier %s rejected image (exit code %d): %s", name, r.ExitCode, reason)
	}
	return nil
}
