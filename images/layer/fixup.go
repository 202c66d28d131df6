package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/xattr"
)

// A tar may use a directory that only a lower layer describes ("tmp/x" without "tmp/"). Unpacked on its own it gets a
// directory 0755 of root's, and overlayfs shows the attributes of the uppermost: /tmp would lose its mode 1777. Layers
// are shared by their content and cannot depend on what is below. So such an image gets one more layer on top, with
// nothing in it but these directories as they should be.

// dirInfo is what a fix-up sets.
type dirInfo struct {
	path     string
	mode     uint32
	uid, gid uint32
	mtime    unix.Timespec
	xattrs   map[string]string
}

// stack is the layers of one image, lowest first, with the places where they are now.
type stack struct {
	dirs     []string
	implicit []map[string]bool
}

func newStack(layers []Record, where func(Record) string) stack {
	var s stack
	for _, l := range layers {
		if l.Opaque {
			s = stack{}
		}
		set := map[string]bool{}
		for _, d := range l.Implicit {
			set[d] = true
		}
		s.dirs = append(s.dirs, where(l))
		s.implicit = append(s.implicit, set)
	}
	return s
}

// fixups lists the directories whose attributes overlayfs would get wrong, with all directories above them; it is empty
// for nearly every image.
func (s stack) fixups() ([]dirInfo, error) {
	wanted := map[string]bool{}
	for i := 1; i < len(s.implicit); i++ {
		for dir := range s.implicit[i] {
			wrong, err := s.wrong(dir)
			if err != nil {
				return nil, err
			}
			for d := dir; wrong && !wanted[d]; d = path.Dir(d) {
				wanted[d] = true
			}
		}
	}
	var out []dirInfo
	for dir := range wanted {
		_, right, err := s.look(dir)
		if err != nil {
			return nil, err
		}
		out = append(out, *right)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
	return out, nil
}

func (s stack) wrong(dir string) (bool, error) {
	shown, right, err := s.look(dir)
	if err != nil || shown == nil || shown == right {
		return false, err
	}
	same := shown.mode == right.mode && shown.uid == right.uid && shown.gid == right.gid && len(right.xattrs) == 0
	return !same, nil
}

// look finds dir in the merged tree: as overlayfs shows it, and as the uppermost layer that describes it has it. Both are
// nil when it is hidden.
func (s stack) look(dir string) (shown, right *dirInfo, err error) {
	for i := len(s.dirs) - 1; i >= 0; i-- {
		info, ends, err := lookIn(s.dirs[i], dir)
		if err != nil {
			return nil, nil, err
		}
		if info != nil {
			if shown == nil {
				shown, right = info, info
			}
			if !s.implicit[i][dir] {
				return shown, info, nil
			}
		}
		if ends {
			break
		}
	}
	return shown, right, nil
}

// lookIn finds dir in one layer; ends says that the layer hides dir in all lower ones.
func lookIn(layer, dir string) (info *dirInfo, ends bool, err error) {
	at := layer
	parts := strings.Split(dir, "/")
	for i := -1; i < len(parts); i++ {
		if i >= 0 {
			at = filepath.Join(at, parts[i])
		}
		var st unix.Stat_t
		err := unix.Lstat(at, &st)
		if errors.Is(err, unix.ENOENT) {
			return nil, ends, nil
		}
		if err != nil {
			return nil, false, &os.PathError{Op: "lstat", Path: at, Err: err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return nil, true, nil // a file, a link or a whiteout
		}
		x, err := xattr.Read(at)
		if err != nil {
			return nil, false, err
		}
		ends = ends || x[opaqueXattr] == "y"
		delete(x, opaqueXattr)
		info = &dirInfo{dir, uint32(st.Mode) & 0o7777, st.Uid, st.Gid, st.Mtim, x}
	}
	return info, ends, nil
}

// AddFixup gives the layers of an image, lowest first, their fix-up layer when they need one. Layers that are not staged
// are in layerDir.
func (st *Staging) AddFixup(layers []Record, layerDir string) ([]Record, error) {
	infos, err := newStack(layers, func(l Record) string {
		if s := st.Layers[l.DiffID]; s != nil {
			return s.Path
		}
		return filepath.Join(layerDir, l.Dir)
	}).fixups()
	if err != nil {
		return nil, fmt.Errorf("cannot compare the directories of the layers: %w", err)
	}
	if len(infos) == 0 {
		return layers, nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", infos))
	id := "fixup:" + hex.EncodeToString(sum[:])
	if have, ok := st.Known(id); ok {
		return append(layers, have), nil
	}
	if st.Layers[id] == nil {
		dir, err := st.writeFixup(infos)
		if err != nil {
			return nil, fmt.Errorf("cannot make the directories that lower layers describe: %w", err)
		}
		l, err := newLedger(dir + ledgerSuffix)
		if err != nil {
			return nil, err
		}
		shape, highest, err := l.list(dir)
		if err = errors.Join(err, l.close()); err != nil {
			return nil, err
		}
		st.Layers[id] = &Staged{unpacked{DiffID: id, Shape: shape, HighestID: highest}, dir}
	}
	return append(layers, Record{DiffID: id, Shape: st.Layers[id].Shape, HighestID: &st.Layers[id].HighestID}), nil
}

func (st *Staging) writeFixup(infos []dirInfo) (dir string, err error) {
	dir = filepath.Join(st.Dir, "fixup-"+strconv.Itoa(len(st.Layers)))
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
