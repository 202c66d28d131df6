package container

import (
	"slices"
	"testing"

	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/spec"
)

func configOf(t *testing.T, c *spec.Config) *configs.Config {
	t.Helper()
	spec, err := spec.Build(c, spec.Identity{}, "/root")
	if err != nil {
		t.Fatal(err)
	}
	config, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{CgroupName: c.ID, NoNewKeyring: true, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	joinUsers(c.Sandbox.Users, config)
	return config
}

// A user namespace is joined with its ids and for its volumes, and leaves no trace in containers without.
func TestJoinUsers(t *testing.T) {
	users := &spec.Users{NS: "/run/podd/ns/x/user", First: 1 << 20, Count: 1 << 16}
	newConfig := func(u *spec.Users) *spec.Config {
		return &spec.Config{
			ID: "x", Pod: &corev1.Pod{}, Container: &corev1.Container{Name: "c", Command: []string{"true"}}, Sandbox: spec.Sandbox{CgroupPath: "/pods/x", Users: u},
			Mounts: []spec.Mount{{Source: "/a", Destination: "/a", Mapped: u != nil}, {Source: "/b", Destination: "/b"}},
		}
	}
	with := configOf(t, newConfig(users))
	if path := with.Namespaces.PathOf(configs.NEWUSER); path != users.NS {
		t.Errorf("the user namespace is %q", path)
	}
	want := []configs.IDMap{{ContainerID: 0, HostID: 1 << 20, Size: 1 << 16}}
	if !slices.Equal(with.UIDMappings, want) || !slices.Equal(with.GIDMappings, want) {
		t.Errorf("the ids are %v and %v", with.UIDMappings, with.GIDMappings)
	}
	without := configOf(t, newConfig(nil))
	if without.Namespaces.Contains(configs.NEWUSER) || without.UIDMappings != nil || without.GIDMappings != nil {
		t.Errorf("a container without has %v and the ids %v, %v", without.Namespaces, without.UIDMappings, without.GIDMappings)
	}
	for _, d := range without.Devices {
		if d.Uid != 0 || d.Gid != 0 {
			t.Errorf("in a container without, %s belongs to %d:%d", d.Path, d.Uid, d.Gid)
		}
	}
	mapped := func(c *configs.Config) (list []string) {
		for _, m := range c.Mounts {
			if m.IDMapping != nil {
				list = append(list, m.Destination+" as "+m.IDMapping.UserNSPath)
			}
		}
		return list
	}
	if got := mapped(with); !slices.Equal(got, []string{"/a as " + users.NS}) {
		t.Errorf("mapped mounts are %q", got)
	}
	if got := mapped(without); got != nil {
		t.Errorf("mapped mounts of a container without are %q", got)
	}
}
