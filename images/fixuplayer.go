package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// addFixup gives an image its fix-up layer when it needs one.
func (st *staging) addFixup(c *candidate, layerDir string) error {
	infos, err := newStack(c.Layers, func(l layerRecord) string {
		if s := st.layers[l.DiffID]; s != nil {
			return s.path
		}
		return filepath.Join(layerDir, l.Dir)
	}).fixups()
	if err != nil {
		return fmt.Errorf("cannot compare the directories of the layers: %w", err)
	}
	if len(infos) == 0 {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", infos))
	id := "fixup:" + hex.EncodeToString(sum[:])
	if have, ok := st.known(id); ok {
		c.Layers = append(c.Layers, have)
		return nil
	}
	if st.layers[id] == nil {
		dir, err := st.writeFixup(infos)
		if err != nil {
			return fmt.Errorf("cannot make the directories that lower layers describe: %w", err)
		}
		st.layers[id] = &staged{unpacked{diffID: id}, dir}
	}
	c.Layers = append(c.Layers, layerRecord{DiffID: id})
	return nil
}

func (st *staging) writeFixup(infos []dirInfo) (dir string, err error) {
	dir = filepath.Join(st.dir, "fixup-"+strconv.Itoa(len(st.layers)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	t, err := newTree(dir, len(infos)+1)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	for _, i := range infos {
		p, base := &parentDir{fd: t.root}, "."
		if i.path != "." {
			if p, err = t.enter(path.Dir(i.path)); err != nil {
				return "", err
			}
			base = path.Base(i.path)
			if err := unix.Mkdirat(p.fd, base, 0o700); err != nil {
				return "", err
			}
		}
		a := attrs{
			kind: unix.S_IFDIR, mode: i.mode, uid: int(i.uid), gid: int(i.gid), xattrs: i.xattrs, force: true,
			mtime: time.Unix(i.mtime.Unix()),
		}
		if err := t.setAttrs(p, base, a); err != nil {
			return "", err
		}
	}
	return dir, nil
}
