package images

import "fmt"

// candidates lists what an archive offers to this machine. Newer Dockers write both kinds into one archive; the OCI
// layout tells more, and the names are in both.
func candidates(a archive, want platform, name string) (list []*candidate, err error) {
	data, err := a.document("index.json")
	kind := ociImages
	if isMissing(err) {
		data, err = a.document("manifest.json")
		kind = dockerImages
	}
	if isMissing(err) {
		return nil, missing(a, "the list of its images", "index.json or manifest.json")
	}
	if err != nil {
		return nil, err
	}
	if list, err = kind(a, data, want); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, refusef("there is no image in it")
	}
	if name == "" {
		return list, nil
	}
	if len(list) > 1 {
		return nil, fmt.Errorf("it holds %d images, so that %q cannot name them all: leave the name out", len(list), name)
	}
	full, err := NormalizeName(name)
	if err != nil {
		return nil, err
	}
	list[0].Names = []string{full}
	return list, nil
}
