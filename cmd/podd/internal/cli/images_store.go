package cli

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	store "podd/images"
	"podd/images/archive"
	"podd/internal/escape"
	"podd/runtime/api"
)

// localImages is the store on disk. A daemon that starts in the meantime notices the change.
type localImages struct {
	store *store.Store
	use   func() (ids, layers map[string]bool, err error)
}

// openLocalImages opens the store of a daemon that does not run, but whose pods may.
func openLocalImages(root string, read ImageUse) (imageStore, error) {
	use := func() (ids, layers map[string]bool, err error) { return read(config.ReadRunDir(root), root) }
	s, err := store.Open(filepath.Join(root, "images"), store.Options{
		InUse: func() (map[string]bool, error) { _, layers, err := use(); return layers, err },
		Warn:  func(err error) { fmt.Fprintln(os.Stderr, "podd:", escape.Line(err.Error())) },
	})
	if err != nil {
		return nil, err
	}
	return &localImages{s, use}, nil
}

func (l *localImages) list(context.Context) ([]api.ImageInfo, error) {
	return imageInfos(l.store.List()), nil
}

func (l *localImages) load(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	loaded, err := l.store.Load(ctx, r, store.LoadOptions{Name: o.Name, Source: o.Source, Read: o.Read})
	return imageInfos(loaded), err
}

func (l *localImages) loadFolder(ctx context.Context, path, name string) ([]api.ImageInfo, error) {
	loaded, err := l.store.LoadPath(ctx, path, store.LoadOptions{Name: name})
	return imageInfos(loaded), err
}

func (l *localImages) remove(_ context.Context, ref string) ([]string, error) {
	ids, _, err := l.use()
	if err != nil {
		return nil, err
	}
	return l.store.Remove(ref, func(id string) bool { return ids[id] })
}

func imageInfos(list []store.Image) []api.ImageInfo {
	infos := make([]api.ImageInfo, len(list))
	for i := range list {
		img := &list[i]
		infos[i] = api.ImageInfo{
			ID: img.ID, Names: img.Names, Digest: img.Digest, Size: img.Size, Created: img.Created, Platform: img.Platform, SignedBy: img.SignedBy,
		}
	}
	return infos
}

const imagesPath = "/podd/v1/images"

// remoteImages is the store of a running daemon.
type remoteImages struct{ client *client.Client }

func (s *remoteImages) list(ctx context.Context) ([]api.ImageInfo, error) {
	var list api.ImageList
	err := s.client.Object(ctx, imagesPath, nil, client.AcceptObject, &list)
	return list.Items, err
}

// load has the daemon read a file where it lies, or sends it.
func (s *remoteImages) load(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	q := url.Values{}
	for key, value := range map[string]string{"name": o.Name, "source": o.Source} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f, ok := r.(*os.File); ok && archive.InPlace(f) {
		if list, known, err := s.loadFile(ctx, f, q, o.Read); known {
			return list, err
		}
	}
	resp, err := s.client.Do(ctx, http.MethodPost, imagesPath, q, client.AcceptObject, archive.Watch(r, o.Read))
	if err != nil {
		return nil, err
	}
	var list api.ImageList
	err = client.Decode(resp, &list)
	return list.Items, err
}

// loadFile names an open file to the daemon; known is false if that does not know the request, or cannot see the file.
func (s *remoteImages) loadFile(ctx context.Context, f *os.File, q url.Values, read func(n int)) (list []api.ImageInfo, known bool, err error) {
	q = maps.Clone(q)
	q.Set("fd", strconv.Itoa(int(f.Fd())))
	resp, err := s.client.Do(ctx, http.MethodPost, imagesPath+"/file", q, client.AcceptObject, nil)
	var none *client.NoDaemonError
	if err != nil {
		return nil, errors.As(err, &none), err
	}
	defer resp.Body.Close()
	for lines, n := json.NewDecoder(resp.Body), int64(0); ; {
		var step api.PullStep
		if err := lines.Decode(&step); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("podd has ended: load the archive again")
			}
			return list, true, err
		}
		switch {
		case step.Error != "":
			return nil, true, &apierrors.StatusError{ErrStatus: metav1.Status{Message: step.Error, Reason: step.Reason}}
		case step.Image != nil:
			list = append(list, *step.Image)
		case step.Status == "loaded":
			return list, true, nil
		case read != nil:
			read(int(step.Current - n))
			n = step.Current
		}
	}
}

// loadFolder sends the folder as the archive that it is.
func (s *remoteImages) loadFolder(ctx context.Context, path, name string) ([]api.ImageInfo, error) {
	return loadPacked(ctx, s, path, name)
}

// loadPacked hands a store an unpacked archive as a stream.
func loadPacked(ctx context.Context, s imageStore, path, name string) ([]api.ImageInfo, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load the archive: %w", err)
	}
	defer root.Close()
	r, w := io.Pipe()
	var packing error
	done := make(chan struct{})
	go func() {
		defer close(done)
		packing = packLayout(w, root)
		_ = w.CloseWithError(packing)
	}()
	list, err := s.load(ctx, r, api.ImageLoad{Name: name, Source: path})
	_ = r.Close() // if the daemon has refused it before its end
	<-done
	if packing != nil && !errors.Is(packing, io.ErrClosedPipe) {
		return nil, fmt.Errorf("cannot load the folder %s: %w", path, packing)
	}
	return list, err
}

// Files by which a folder is known as an unpacked archive.
const (
	layoutFile = "oci-layout"
	dockerFile = "manifest.json"
)

func hasFile(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// archivesIn lists what a folder has of archives, packed or not.
func archivesIn(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		name, full := e.Name(), filepath.Join(path, e.Name())
		packed := strings.HasSuffix(name, ".tar") || strings.Contains(name, ".tar.") || strings.HasSuffix(name, ".tgz")
		if !strings.HasPrefix(name, ".") && (packed || hasFile(full, layoutFile) || hasFile(full, dockerFile)) {
			list = append(list, full)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s is no image (it has neither %s nor %s) and has no archives (*.tar)", path, layoutFile, dockerFile)
	}
	return list, nil
}

// packLayout writes what belongs to an unpacked archive as tar, and nothing else that may lie in the folder.
func packLayout(w io.Writer, root *os.Root) error {
	names := []string{layoutFile, "index.json", dockerFile}
	if _, err := root.Stat(layoutFile); err == nil {
		blobs, err := fs.ReadDir(root.FS(), "blobs/sha256")
		if err != nil {
			return err
		}
		for _, b := range blobs {
			names = append(names, "blobs/sha256/"+b.Name())
		}
	} else if names, err = dockerNames(root); err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, name := range names {
		if err := packFile(out, root, name); err != nil && (name != dockerFile || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return out.Close()
}

// dockerNames lists the files of what docker save has written, by its manifest.
func dockerNames(root *os.Root) ([]string, error) {
	data, err := root.ReadFile(dockerFile)
	if err != nil {
		return nil, err
	}
	var images []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, fmt.Errorf("%s: %w", dockerFile, err)
	}
	names := []string{dockerFile}
	for _, img := range images {
		for _, name := range append([]string{img.Config}, img.Layers...) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func packFile(out *tar.Writer, root *os.Root, name string) error {
	info, err := root.Stat(name) // links stay inside
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o644}); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}

func (s *remoteImages) remove(ctx context.Context, ref string) ([]string, error) {
	resp, err := s.client.Do(ctx, http.MethodDelete, imagesPath, url.Values{"ref": {ref}}, client.AcceptObject, nil)
	if err != nil {
		return nil, err
	}
	var r api.ImagesRemoved
	err = client.Decode(resp, &r)
	return r.Removed, err
}

// SaveImages implements api.ImageKeeper.
func (s *remoteImages) SaveImages(ctx context.Context, refs []string, w io.Writer) error {
	resp, err := s.client.Do(ctx, http.MethodGet, imagesPath+"/tar", url.Values{"ref": refs}, client.AcceptObject, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the archive is cut short; podd's log says why: %w", err)
	}
	return nil
}

// ask sends a request that is all in its query.
func (s *remoteImages) ask(ctx context.Context, method, what string, q url.Values, answer any) error {
	resp, err := s.client.Do(ctx, method, imagesPath+"/"+what, q, client.AcceptObject, nil)
	if err != nil {
		return err
	}
	return client.Decode(resp, answer)
}

// TagImage implements api.ImageKeeper.
func (s *remoteImages) TagImage(ctx context.Context, ref, name string) (full string, err error) {
	err = s.ask(ctx, http.MethodPost, "tag", url.Values{"ref": {ref}, "name": {name}}, &full)
	return full, err
}

// PinImage implements api.ImageKeeper.
func (s *remoteImages) PinImage(ctx context.Context, ref string, pin bool) (pinned string, err error) {
	method := http.MethodDelete
	if pin {
		method = http.MethodPost
	}
	err = s.ask(ctx, method, "pin", url.Values{"ref": {ref}}, &pinned)
	return pinned, err
}

// PruneImages implements api.ImageKeeper.
func (s *remoteImages) PruneImages(ctx context.Context, o api.ImagePrune) (p api.ImagesPruned, err error) {
	q := url.Values{"all": {strconv.FormatBool(o.All)}, "dryRun": {strconv.FormatBool(o.DryRun)}}
	err = s.ask(ctx, http.MethodPost, "prune", q, &p)
	return p, err
}

// VerifyImages implements api.ImageKeeper.
func (s *remoteImages) VerifyImages(ctx context.Context, o api.ImageVerify, report func(api.LayerVerified)) error {
	q := url.Values{"ref": o.Refs, "repair": {strconv.FormatBool(o.Repair)}}
	resp, err := s.client.Do(ctx, http.MethodPost, imagesPath+"/verify", q, client.AcceptObject, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(resp.Body); ; {
		var v api.LayerVerified
		switch err := lines.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("cannot understand the daemon's answer: %w", err)
		case v.Layer == "":
			return errors.New(v.Error)
		}
		report(v)
	}
}

// SaveImages implements api.ImageKeeper.
func (l *localImages) SaveImages(ctx context.Context, refs []string, w io.Writer) error {
	return l.store.Save(ctx, w, refs)
}

// TagImage implements api.ImageKeeper.
func (l *localImages) TagImage(_ context.Context, ref, name string) (string, error) {
	return l.store.Tag(ref, name)
}

// PinImage implements api.ImageKeeper.
func (l *localImages) PinImage(_ context.Context, ref string, pin bool) (string, error) {
	if pin {
		return l.store.Pin(ref)
	}
	return l.store.Unpin(ref)
}

// PruneImages implements api.ImageKeeper. Only a daemon knows what the manifests name.
func (l *localImages) PruneImages(_ context.Context, o api.ImagePrune) (api.ImagesPruned, error) {
	if o.All {
		return api.ImagesPruned{}, errors.New("cannot tell which images the manifests need while no podd runs: start it, or leave out --all")
	}
	ids, _, err := l.use()
	if err != nil {
		return api.ImagesPruned{}, err
	}
	c, err := l.store.Collect(store.CollectOptions{Needs: store.Needs{IDs: ids}, Now: time.Now(), Nameless: true, DryRun: o.DryRun})
	return api.ImagesPruned{Removed: c.Removed, Freed: c.Freed}, err
}

// VerifyImages implements api.ImageKeeper.
func (l *localImages) VerifyImages(ctx context.Context, o api.ImageVerify, report func(api.LayerVerified)) error {
	return l.store.Verify(ctx, store.VerifyOptions{Refs: o.Refs, Repair: o.Repair, Report: func(v store.Verified) {
		out := api.LayerVerified{Layer: v.Layer, Images: v.Images, Mended: v.Mended}
		for _, d := range v.Differences {
			out.Differences = append(out.Differences, api.FileDifference{Path: d.Path, Problem: d.Problem})
		}
		if v.Err != nil {
			out.Error = v.Err.Error()
		}
		report(out)
	}})
}

// ImageLayers implements api.ImageKeeper.
func (s *remoteImages) ImageLayers(ctx context.Context, ref string) (l api.ImageLayers, err error) {
	err = s.ask(ctx, http.MethodGet, "layers", url.Values{"ref": {ref}}, &l)
	return l, err
}

// ImageLayers implements api.ImageKeeper.
func (l *localImages) ImageLayers(_ context.Context, ref string) (api.ImageLayers, error) {
	d, err := l.store.Details(ref)
	if err != nil {
		return api.ImageLayers{}, err
	}
	out := api.ImageLayers{ImageInfo: imageInfos([]store.Image{d.Image})[0], Configuration: []byte(d.Configuration), Manifest: []byte(d.Manifest)}
	for _, layer := range d.LayerList {
		out.Layers = append(out.Layers, api.LayerInfo{DiffID: layer.DiffID, Blob: layer.Blob, Size: layer.Size, Shared: layer.Shared})
	}
	return out, nil
}
