package test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

const tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// e2e: ServiceAccounts :: should allow opting out of API token automount
func TestAutomountOfTheAccount(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("accounts", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mount}\nautomountServiceAccountToken: true\nsecrets: [{name: mine}]\nimagePullSecrets: [{name: registry}]\n---\n"+
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: nomount}\nautomountServiceAccountToken: false\n---\n"+
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: says-nothing}\n")
	const names = ": " + tokenFolder + "; " + forever
	tests := []struct {
		name, account, field, script string
		want                         bool
	}{
		{"mount", "mount", "", forever, true},
		{"mount-true", "mount", "true", forever, true},
		{"mount-false", "mount", "false", forever, false},
		{"nomount", "nomount", "", forever, false},
		{"nomount-true", "nomount", "true", forever, true},
		{"nomount-false", "nomount", "false", forever, false},
		{"says-nothing", "says-nothing", "", forever, false},
		{"absent", "absent", "", forever, false},
		// A command that names the folder asks for a token, but no louder than the account refuses it.
		{"asks", "absent", "", names, true},
		{"asks-in-vain", "nomount", "", names, false},
	}
	for _, tt := range tests {
		top := []string{"serviceAccountName: " + tt.account}
		if tt.field != "" {
			top = append(top, "automountServiceAccountToken: "+tt.field)
		}
		b.drop(tt.name, onePod(tt.name, tt.script, top...))
	}
	for _, tt := range tests {
		b.running(tt.name)
		_, _, code := b.run("exec", tt.name, "--", "test", "-s", tokenFolder+"/token")
		if (code == 0) != tt.want {
			t.Errorf("pod %s: there is a token: %t, want %t", tt.name, code == 0, tt.want)
		}
	}
	// Settled when the pod came to be: neither a change of the account nor a restart of podd makes it another pod.
	before := b.pod("mount")
	b.drop("accounts", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mount}\nautomountServiceAccountToken: false\n")
	b.kill9()
	b.start()
	b.drop("later", onePod("later", forever, "serviceAccountName: mount"))
	b.running("later")
	if after := b.pod("mount"); after.UID != before.UID || after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
		t.Error("a change of the account has made another pod of one that ran")
	}
	b.sh("mount", "main", "test -s "+tokenFolder+"/token")
	if _, _, code := b.run("exec", "later", "--", "test", "-e", tokenFolder); code == 0 {
		t.Error("the change of the account does not count for a new pod")
	}
}

// e2e: ServiceAccounts :: should mount projected service account token
// e2e: ServiceAccounts :: should mount an API token into pods
// When the clock is set, every pod has another token at once, though podd sleeps. The clock is set by a nanosecond here.
func TestTokensWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("own", onePod("own", forever, "automountServiceAccountToken: true"))
	b.running("own")
	b.kill9()
	b.start()
	b.running("own")
	read := func() string { return strings.TrimSpace(b.sh("own", "main", "cat "+tokenFolder+"/token")) }
	var old string
	b.must(lab.Poll(limit, func() (bool, error) { // podd has written the tokens anew after its start
		now := read()
		again := now == old
		old = now
		return again, errors.New("the token changes")
	}))
	nanosecond := unix.Timex{Modes: unix.ADJ_SETOFFSET | unix.ADJ_NANO}
	nanosecond.Time.Usec = 1
	if _, err := unix.Adjtimex(&nanosecond); errors.Is(err, unix.EPERM) {
		t.Skip("the clock may not be set here")
	} else if err != nil {
		t.Fatal(err)
	}
	b.must(lab.Poll(limit, func() (bool, error) { return read() != old, errors.New("the token is the old one") }))
}
