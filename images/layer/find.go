package layer

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// FindFiles looks in a ledger for files whose content has one of the SHA-256 sums. found gets their paths within the layer.
func FindFiles(ledgerFile string, want func(sum [32]byte) bool, found func(sum [32]byte, path string)) error {
	r, err := openLedger(ledgerFile)
	if err != nil {
		return err
	}
	defer r.close()
	sums := map[uint64][32]byte{} // by inode
	var t token
	for {
		err := r.next(&t)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch t.kind {
		case tokenRaw:
			if _, err := io.CopyN(io.Discard, r.r, t.size); err != nil {
				return err
			}
		case tokenDigest:
			if delete(sums, t.inode); want(t.sum) {
				sums[t.inode] = t.sum
			}
		case tokenEntry:
			if sum, ok := sums[t.entry.Inode]; ok && t.entry.kind() == unix.S_IFREG {
				found(sum, t.entry.Path)
			}
		}
	}
}
