package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// SocketConfig is the part of the configuration that says who beside root opens the sockets, at the top level of the file.
type SocketConfig struct {
	// SocketGroup may do all, and is so as good as root. SocketReadGroup may look, by a socket of its own. Names of groups, or
	// their numbers; "": nobody.
	SocketGroup     string `json:"socketGroup"`
	SocketReadGroup string `json:"socketReadGroup"`
}

func (c *SocketConfig) check() error {
	for key, name := range map[string]string{"socketGroup": c.SocketGroup, "socketReadGroup": c.SocketReadGroup} {
		if strings.ContainsAny(name, ": \t\n/") {
			return fmt.Errorf("%s %q cannot be the name of a group", key, name)
		}
	}
	return nil
}

// ReadSocket is the path of the socket of those who may only read: podd-read.sock beside podd.sock.
func ReadSocket(socket string) string {
	return strings.TrimSuffix(socket, ".sock") + "-read.sock"
}

// GroupID finds a group by its name or its number.
func GroupID(name string) (int, error) {
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if unknown := user.UnknownGroupError(""); errors.As(err, &unknown) {
		return 0, fmt.Errorf("there is no group %q in /etc/group: make it with groupadd --system %s and restart podd", name, name)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look up the group %q: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}
