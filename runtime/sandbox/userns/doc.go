// Package userns gives pods user and group ids of their own: it hands out ranges of the machine's ids, and shows folders
// with their owners moved into such a range (idmapped mounts, man 2 mount_setattr). KEP-127
package userns
