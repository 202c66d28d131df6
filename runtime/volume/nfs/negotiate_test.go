package nfs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// server answers mounts as one does, and remembers what was tried: VERSION@ADDRESS.
type server struct {
	addrs  []string
	answer map[string]error // by VERSION or VERSION@ADDRESS; nil: it is mounted
	other  error            // of all else
	statd  bool
	tried  []string
	data   []string
}

func (s *server) negotiate(ctx context.Context, list ...string) error {
	o, _, err := parse(list)
	if err != nil {
		return err
	}
	n := negotiation{
		o: o,
		resolve: func(context.Context, string, string) (list []netip.Addr, err error) {
			if len(s.addrs) == 0 {
				s.addrs = []string{"127.0.0.1"}
			}
			for _, a := range s.addrs {
				list = append(list, netip.MustParseAddr(a))
			}
			return list, nil
		},
		statd: func(context.Context) bool { return s.statd },
		mount: func(_ context.Context, data string) error {
			fields := map[string]string{}
			for word := range strings.SplitSeq(data, ",") {
				name, value, _ := strings.Cut(word, "=")
				fields[name] = value
			}
			key := fields["vers"] + "@" + fields["addr"]
			s.tried, s.data = append(s.tried, key), append(s.data, data)
			for _, k := range []string{key, fields["vers"]} {
				if err, ok := s.answer[k]; ok {
					return err
				}
			}
			return s.other
		},
	}
	return n.run(ctx, "nas")
}

func TestNegotiation(t *testing.T) {
	const here = "@127.0.0.1"
	for name, tt := range map[string]struct {
		options string
		s       server
		want    string // what is tried
		err     error
	}{
		"newest":                         {"", server{}, "4.2", nil},
		"only 4.0":                       {"", server{other: unix.EPROTONOSUPPORT, answer: map[string]error{"4.0": nil}}, "4.2 4.1 4.0", nil},
		"an old kernel":                  {"", server{other: unix.EINVAL, answer: map[string]error{"4.1": nil}}, "4.2 4.1", nil},
		"only 3":                         {"", server{statd: true, other: unix.EPROTONOSUPPORT, answer: map[string]error{"3": nil}}, "4.2 4.1 4.0 3", nil},
		"no root of 4":                   {"", server{statd: true, other: unix.ENOENT, answer: map[string]error{"3": nil}}, "4.2 3", nil},
		"nothing on TCP":                 {"", server{statd: true, other: unix.ECONNREFUSED}, "4.2 3", unix.ECONNREFUSED},
		"denied":                         {"", server{statd: true, other: unix.EACCES}, "4.2 4.1 4.0 3", unix.EACCES},
		"no such path":                   {"", server{statd: true, other: unix.EPROTONOSUPPORT, answer: map[string]error{"4.2": unix.ENOENT}}, "4.2 3", unix.ENOENT},
		"no such path, no locks":         {"", server{other: unix.ENOENT}, "4.2", unix.ENOENT},
		"4 of any minor":                 {"vers=4", server{other: unix.EPROTONOSUPPORT}, "4.2 4.1 4.0", unix.EPROTONOSUPPORT},
		"4 of any minor, refused":        {"vers=4", server{other: unix.ECONNREFUSED}, "4.2", unix.ECONNREFUSED},
		"4.1 alone":                      {"vers=4.1", server{other: unix.EPROTONOSUPPORT}, "4.1", unix.EPROTONOSUPPORT},
		"3 alone":                        {"vers=3", server{statd: true, other: unix.EPROTONOSUPPORT}, "3", unix.EPROTONOSUPPORT},
		"3 without locks at the server":  {"vers=3,nolock", server{}, "3", nil},
		"3 with locks that nobody keeps": {"vers=3", server{}, "", errNoStatd},
		"mountd":                         {"mountport=20048", server{statd: true}, "3", nil},
		"a dead server":                  {"", server{other: unix.ETIMEDOUT}, "4.2", unix.ETIMEDOUT},
	} {
		err := tt.s.negotiate(t.Context(), strings.Fields(tt.options)...)
		if got := strings.ReplaceAll(strings.Join(tt.s.tried, " "), here, ""); got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: tried %q, error %v; want %q, %v", name, got, err, tt.want, tt.err)
		}
	}
}

// A name of several addresses: another is tried where one does not answer.
func TestAddresses(t *testing.T) {
	s := server{addrs: []string{"::1", "127.0.0.1"}, answer: map[string]error{"4.2@::1": unix.ECONNREFUSED}}
	if err := s.negotiate(t.Context()); err != nil || !slices.Equal(s.tried, []string{"4.2@::1", "4.2@127.0.0.1"}) {
		t.Errorf("%v, tried %v", err, s.tried)
	}
	s = server{addrs: []string{"::1", "127.0.0.1"}, other: unix.EBUSY}
	if err := s.negotiate(t.Context()); !errors.Is(err, unix.EBUSY) || len(s.tried) != 1 {
		t.Errorf("%v, tried %v", err, s.tried)
	}
}

// What the kernel is told.
func TestData(t *testing.T) {
	for _, tt := range []struct{ addr, options, want string }{
		{"127.0.0.1", "", "vers=4.2,nosharecache,addr=127.0.0.1,clientaddr=127.0.0.1"},
		{"::1", "proto=tcp hard", "vers=4.2,hard,nosharecache,proto=tcp6,addr=::1,clientaddr=::1"},
		{"127.0.0.1", "sharecache port=2050 clientaddr=192.0.2.9", "vers=4.2,sharecache,port=2050,addr=127.0.0.1,clientaddr=192.0.2.9"},
		{"127.0.0.1", "fsc", "vers=4.2,fsc,addr=127.0.0.1,clientaddr=127.0.0.1"},
		{"127.0.0.1", "v3 nolock mountport=20048 mountproto=udp mounthost=192.0.2.7", "vers=3,nolock,mountport=20048,nosharecache,addr=127.0.0.1,mountaddr=192.0.2.7,mountproto=udp"},
	} {
		s := server{addrs: []string{tt.addr}}
		if err := s.negotiate(t.Context(), strings.Fields(tt.options)...); err != nil {
			if tt.addr == "::1" {
				t.Skip("no IPv6 here")
			}
			t.Errorf("%q: %v", tt.options, err)
		} else if s.data[0] != tt.want {
			t.Errorf("%q: %s\nwant %s", tt.options, s.data[0], tt.want)
		}
	}
}

// The words are those of mount.nfs.
func TestErrors(t *testing.T) {
	for err, want := range map[error]string{
		unix.EACCES:          "access denied by server while mounting nas:/x",
		unix.ENOENT:          "mounting nas:/x failed, reason given by server: No such file or directory",
		unix.ETIMEDOUT:       "mounting nas:/x failed: Connection timed out",
		unix.EPROTONOSUPPORT: "mounting nas:/x failed: requested NFS version or transport protocol is not supported",
		unix.ENODEV:          "mounting nas:/x failed: the kernel of this board has no NFS; install one with CONFIG_NFS_FS, or its modules",
	} {
		if got := (&mountError{"nas:/x", err}).Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	both := &mountError{"nas:/x", worse(unix.ENOENT, errNoStatd)}
	if got := both.Error(); !strings.HasPrefix(got, "mounting nas:/x failed, reason given by server: No such file or directory; version 3 was not tried: rpc.statd is not") {
		t.Errorf("of both: %s", got)
	}
}

func TestPortMapper(t *testing.T) {
	call := getPortCall(7, statd)
	if want := "00000007" + "00000000" + "00000002" + "000186a0" + "00000002" + "00000003" + strings.Repeat("0", 32) + "000186b8" + "00000001" + "00000011" + "00000000"; fmt.Sprintf("%x", call) != want {
		t.Errorf("the call is %x", call)
	}
	reply := func(words ...byte) (out []byte) {
		for _, w := range words {
			out = append(out, 0, 0, 0, w)
		}
		return out
	}
	for _, tt := range []struct {
		reply []byte
		port  uint32
	}{
		{reply(7, 1, 0, 0, 0, 0, 111), 111},
		{reply(7, 1, 0, 0, 0, 0, 0), 0},
		{reply(7, 1, 1, 0, 0, 0, 111), 0},
		{reply(7, 1, 0, 0, 0, 1, 111), 0},
		{reply(7, 1, 0), 0},
		{nil, 0},
	} {
		if got := portOf(tt.reply); got != tt.port {
			t.Errorf("%v: port %d", tt.reply, got)
		}
	}
}
