package deb

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What takes podd away takes off what a killed daemon has left mounted, and none of the machine's own mounts: neither the peers of
// those that are bound in podd's folders, nor the files in them, be there spaces in the names.
func TestForget(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for mounts")
	}
	const script = `set -eu
mkdir "$2/machine" "$2/podd"
mount -t tmpfs machine "$2/machine"
mount --make-shared "$2/machine"
mkdir -p "$2/machine/sub/disk" "$2/podd/volume/sub path" "$2/podd/volume/data"
mount -t tmpfs disk "$2/machine/sub/disk"
echo kept >"$2/machine/sub/disk/file"
mount --rbind "$2/machine/sub" "$2/podd/volume/sub path"
mount -t tmpfs own "$2/podd/volume/data"
sed -n '/^mounted()/,/^}/p; /^forget()/,/^}/p' "$1" >"$2/functions"
. "$2/functions"
forget "$2/podd"
[ ! -e "$2/podd" ] || { echo "it is still there"; exit 1; }
grep -q kept "$2/machine/sub/disk/file" || { echo "the disk of the machine is gone"; exit 1; }
umount -l "$2/machine"`
	for _, path := range []string{"../../board/packaging/debian/postrm", "../../board/packaging/uninstall.sh"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			output(t, exec.Command("unshare", "-m", "sh", "-c", script, "sh", path, t.TempDir()))
		})
	}
}
