package daemon

import (
	"context"
	"net"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/config"
	"podd/runtime/api"
	"podd/runtime/backend"
)

// listen makes the socket of those who may do all.
func (d *daemon) listen() (net.Listener, error) {
	gid, _ := d.socketGroup("socketGroup", d.config.SocketGroup)
	return api.ListenAs(d.config.Socket, gid)
}

// socketGroup finds the group of a socket. One that there is not is told, and opens nothing to anybody.
func (d *daemon) socketGroup(key, name string) (gid int, ok bool) {
	if name == "" {
		return api.NoGroup, false
	}
	gid, err := config.GroupID(name)
	if err != nil {
		d.log.Error("a socket is root's alone", "setting", key, "error", err)
		d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "SocketGroupMissing", key+": "+err.Error())
		return api.NoGroup, false
	}
	return gid, true
}

// answerReaders serves those who may only read, if there are to be any, until ctx ends.
func (d *daemon) answerReaders(ctx context.Context, b *backend.Backend) {
	path := config.ReadSocket(d.config.Socket)
	gid, ok := d.socketGroup("socketReadGroup", d.config.SocketReadGroup)
	if !ok {
		_ = os.Remove(path) // of a daemon that had another configuration
		return
	}
	l, err := api.ListenAs(path, gid)
	if err == nil {
		err = api.ServeReaders(ctx, l, b, d.log)
	}
	if err != nil {
		d.log.Error("nobody can look at podd by the socket of socketReadGroup", "socket", path, "error", err)
	}
}
