package nfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// newestMinor is that of the newest version 4.
const newestMinor = 2

// version is one of NFS's: 3, or 4 with its minor.
type version struct{ major, minor int }

func (v version) String() string {
	if v.major == 4 {
		return fmt.Sprintf("4.%d", v.minor)
	}
	return fmt.Sprint(v.major)
}

// first is the version that is tried first.
func (o *options) first() version {
	switch {
	case o.major == 3, o.major < 0 && o.mountd:
		return version{3, 0}
	case o.minor >= 0:
		return version{4, o.minor}
	}
	return version{4, newestMinor}
}

// next is the version to try after one that the kernel or the server did not take, if there is one. It follows
// nfs_autonegotiate of nfs-utils: what may be a lack of the version is met by an older one.
func (o *options) next(v version, err error) (version, bool) {
	if v.major == 3 || o.major == 4 && o.minor >= 0 {
		return v, false
	}
	may3 := o.major < 0 && o.minor < 0
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EACCES):
		if v.minor > 0 && o.minor < 0 {
			return version{4, v.minor - 1}, true
		}
		return version{3, 0}, may3
	// Old servers have no root that shows all exports, or none of version 4 at all; or nothing listens on TCP.
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPERM), errors.Is(err, unix.ECONNREFUSED):
		return version{3, 0}, may3
	}
	return v, false
}

// worse says which of two failures is told: that of version 4, unless the one of 3 says more.
func worse(of4, of3 error) error {
	if of4 == nil || errors.Is(of3, unix.EACCES) || errors.Is(of3, unix.EBUSY) {
		return of3
	}
	if errors.Is(of3, errNoStatd) {
		return &notTriedError{of4, of3}
	}
	return of4
}

// tryNextAddress says of a failure that another address of the server may do.
func tryNextAddress(err error) bool {
	for _, e := range []error{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ETIMEDOUT, unix.EACCES, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
