package images

import (
	"context"
	"fmt"
)

// stage unpacks the layers of an image that the store does not have, and verifies them.
func (c *candidate) stage(ctx context.Context, a archive, st *staging) error {
	for i, ref := range c.layers {
		l, err := stageLayer(ctx, a, st, ref)
		if err != nil {
			return fmt.Errorf("layer %d of %s: %w", i+1, c.called(), err)
		}
		c.Layers = append(c.Layers, l)
	}
	return nil
}

func (c *candidate) called() string {
	if len(c.Names) > 0 {
		return c.Names[0]
	}
	return c.ID
}

func stageLayer(ctx context.Context, a archive, st *staging, ref layerRef) (layerRecord, error) {
	if l, ok := st.known(ref.diffID); ok {
		return l, nil
	}
	l := st.layers[ref.diffID]
	if l == nil {
		var err error
		l, err = a.layer(ctx, ref.name, st)
		if isMissing(err) {
			return layerRecord{}, missing(a, "its file", ref.name)
		}
		if err != nil {
			return layerRecord{}, err
		}
		if err := l.verify(ref); err != nil {
			return layerRecord{}, err
		}
	}
	r := layerRecord{DiffID: l.diffID, Size: l.size, Implicit: l.implicit, Opaque: l.opaque}
	if l.blobID != l.diffID {
		r.Blob = l.blobID
	}
	return r, nil
}

func (l *staged) verify(ref layerRef) error {
	switch {
	case l.diffID != ref.diffID:
		return refusef("its content has the digest %s where the configuration says %s", l.diffID, ref.diffID)
	case ref.blob != "" && l.blobID != ref.blob:
		return refusef("its file has the digest %s where the manifest says %s", l.blobID, ref.blob)
	case ref.size > 0 && l.blobSize != ref.size:
		return refusef("its file is %d bytes long where the manifest says %d", l.blobSize, ref.size)
	}
	return nil
}
