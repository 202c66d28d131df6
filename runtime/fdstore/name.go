package fdstore

import "fmt"

// maxName is systemd's limit on a descriptor's name, in bytes.
const maxName = 255

// checkName holds a name against what systemd accepts as FDNAME=: printable ASCII
// without the colon that separates the names in $LISTEN_FDNAMES.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: %q has %d bytes, not 1 to %d", ErrName, name, len(name), maxName)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c < ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("%w: %q has the byte %#02x", ErrName, name, c)
		}
	}
	return nil
}
