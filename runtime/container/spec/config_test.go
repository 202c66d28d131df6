package spec

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestUsersOutOfRange(t *testing.T) {
	c := &Config{Container: &corev1.Container{Name: "c"}}
	users := &Users{First: 1 << 20, Count: 1 << 16}
	for _, tt := range []struct {
		users *Users
		who   Identity
		want  string
	}{
		{nil, Identity{UID: 1 << 30}, ""},
		{users, Identity{UID: 65535, GID: 65535, Groups: []int{65535}}, ""},
		{users, Identity{UID: 65536}, "user or group 65536"},
		{users, Identity{GID: 100000}, "user or group 100000"},
		{users, Identity{Groups: []int{1, 70000}}, "user or group 70000"},
		{&Users{Count: 1 << 16}, Identity{}, "has been lost"},
	} {
		err := tt.users.Check(c, tt.who)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.who, err, tt.want)
		}
	}
}
