package inspect

import (
	"crypto/sha256"
	"net/netip"
)

// LocalNetwork derives a unique local IPv6 network (RFC 4193: fd and forty random bits) from a secret of the
// machine, such as /etc/machine-id, and a purpose: the same after each start, another on each machine, and
// the secret cannot be read from it.
func LocalNetwork(secret, purpose string, bits int) netip.Prefix {
	sum := sha256.Sum256([]byte("podd network\x00" + purpose + "\x00" + secret))
	var a [16]byte
	a[0] = 0xfd
	copy(a[1:6], sum[:5])
	copy(a[6:8], sum[5:7])
	return netip.PrefixFrom(netip.AddrFrom16(a), bits).Masked()
}
