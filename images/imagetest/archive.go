package imagetest

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ID is the image's ID in a store: the digest of its configuration.
func (i Image) ID() (string, error) {
	b, err := i.build()
	return Digest(b.config), err
}

// DockerArchive gives the images as "docker save" writes them: layers first, manifest.json last.
func DockerArchive(images ...Image) ([]byte, error) {
	var files []File
	var list []map[string]any
	for _, i := range images {
		b, err := i.build()
		if err != nil {
			return nil, err
		}
		paths := []string{}
		for n, data := range b.layers {
			name := strings.TrimPrefix(b.diffs[n], "sha256:") + ".tar"
			paths = append(paths, name)
			files = append(files, Regular(name, string(data)))
		}
		config := strings.TrimPrefix(Digest(b.config), "sha256:") + ".json"
		files = append(files, Regular(config, string(b.config)))
		list = append(list, map[string]any{"Config": config, "RepoTags": i.Names, "Layers": paths})
	}
	manifest, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return Tar(append(files, Regular("manifest.json", string(manifest)))...)
}

// OCIFiles gives the files of an OCI layout by name. With several images of the same names they become one index, as for
// several platforms.
func OCIFiles(images ...Image) (map[string][]byte, error) {
	files := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	blob := func(mediaType string, data []byte) map[string]any {
		d := Digest(data)
		files["blobs/sha256/"+strings.TrimPrefix(d, "sha256:")] = data
		return map[string]any{"mediaType": mediaType, "digest": d, "size": len(data)}
	}
	byName := map[string][]any{}
	var names []string
	for _, i := range images {
		m, err := i.manifest(blob)
		if err != nil {
			return nil, err
		}
		name := strings.Join(i.Names, ",")
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], m)
	}
	top := []any{}
	for _, name := range names {
		entry, ok := byName[name][0].(map[string]any)
		if len(byName[name]) > 1 {
			data, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": byName[name]})
			if err != nil {
				return nil, err
			}
			entry, ok = blob("application/vnd.oci.image.index.v1+json", data), true
		}
		if ok && name != "" {
			entry["annotations"] = map[string]string{"io.containerd.image.name": name}
		}
		top = append(top, entry)
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": top})
	files["index.json"] = index
	return files, err
}

func (i Image) manifest(blob func(string, []byte) map[string]any) (map[string]any, error) {
	b, err := i.build()
	if err != nil {
		return nil, err
	}
	mediaType := "application/vnd.oci.image.layer.v1.tar"
	if i.Compress != "" {
		mediaType += "+" + i.Compress
	}
	layers := []any{}
	for _, data := range b.layers {
		layers = append(layers, blob(mediaType, data))
	}
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "config": blob("application/vnd.oci.image.config.v1+json", b.config), "layers": layers,
	})
	if err != nil {
		return nil, err
	}
	m := blob("application/vnd.oci.image.manifest.v1+json", data)
	platform := map[string]string{"os": "linux", "architecture": i.Architecture}
	if i.Variant != "" {
		platform["variant"] = i.Variant
	}
	if i.Architecture != "" {
		m["platform"] = platform
	}
	return m, nil
}

// OCIArchive is OCIFiles as a tar, sorted by name.
func OCIArchive(images ...Image) ([]byte, error) {
	files, err := OCIFiles(images...)
	if err != nil {
		return nil, err
	}
	return TarOf(files)
}

// TarOf makes an archive of files, sorted by name.
func TarOf(files map[string][]byte) ([]byte, error) {
	var list []File
	for name, data := range files {
		list = append(list, File{Header: tar.Header{Name: name}, Data: data})
	}
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Header.Name, b.Header.Name) })
	return Tar(list...)
}

// OCIFolder writes an OCI layout into the folder dir.
func OCIFolder(dir string, images ...Image) error {
	files, err := OCIFiles(images...)
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("cannot write an OCI layout: %w", err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("cannot write an OCI layout: %w", err)
		}
	}
	return nil
}
