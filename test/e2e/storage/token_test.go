package storage

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/harness"
	"podd/test/lab"
)

const tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// e2e: ServiceAccounts :: should allow opting out of API token automount
func TestAutomountOfTheAccount(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("accounts", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mount}\nautomountServiceAccountToken: true\nsecrets: [{name: mine}]\nimagePullSecrets: [{name: registry}]\n---\n"+
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: nomount}\nautomountServiceAccountToken: false\n---\n"+
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: says-nothing}\n")
	const names = ": " + tokenFolder + "; " + harness.Forever
	tests := []struct {
		name, account, field, script string
		want                         bool
	}{
		{"mount", "mount", "", harness.Forever, true},
		{"mount-true", "mount", "true", harness.Forever, true},
		{"mount-false", "mount", "false", harness.Forever, false},
		{"nomount", "nomount", "", harness.Forever, false},
		{"nomount-true", "nomount", "true", harness.Forever, true},
		{"nomount-false", "nomount", "false", harness.Forever, false},
		{"says-nothing", "says-nothing", "", harness.Forever, false},
		{"absent", "absent", "", harness.Forever, false},
		// A command that names the folder asks for a token, but no louder than the account refuses it.
		{"asks", "absent", "", names, true},
		{"asks-in-vain", "nomount", "", names, false},
	}
	for _, tt := range tests {
		top := []string{"serviceAccountName: " + tt.account}
		if tt.field != "" {
			top = append(top, "automountServiceAccountToken: "+tt.field)
		}
		b.MustDrop(tt.name, harness.OnePod(tt.name, tt.script, top...))
	}
	for _, tt := range tests {
		b.Running(tt.name)
		_, _, code := b.RunCLI("exec", tt.name, "--", "test", "-s", tokenFolder+"/token")
		if (code == 0) != tt.want {
			t.Errorf("pod %s: there is a token: %t, want %t", tt.name, code == 0, tt.want)
		}
	}
	// Settled when the pod came to be: neither a change of the account nor a restart of podd makes it another pod.
	before := b.MustPod("mount")
	b.MustDrop("accounts", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mount}\nautomountServiceAccountToken: false\n")
	b.MustKill9()
	b.MustStart()
	b.MustDrop("later", harness.OnePod("later", harness.Forever, "serviceAccountName: mount"))
	b.Running("later")
	if after := b.MustPod("mount"); after.UID != before.UID || after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
		t.Error("a change of the account has made another pod of one that ran")
	}
	b.Sh("mount", "main", "test -s "+tokenFolder+"/token")
	if _, _, code := b.RunCLI("exec", "later", "--", "test", "-e", tokenFolder); code == 0 {
		t.Error("the change of the account does not count for a new pod")
	}
}

// e2e: ServiceAccounts :: should mount projected service account token
// e2e: ServiceAccounts :: should mount an API token into pods
// When the clock is set, every pod has another token at once, though podd sleeps. The clock is set by a nanosecond here.
func TestTokensWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("own", harness.OnePod("own", harness.Forever, "automountServiceAccountToken: true"))
	b.Running("own")
	b.MustKill9()
	b.MustStart()
	b.Running("own")
	read := func() string { return strings.TrimSpace(b.Sh("own", "main", "cat "+tokenFolder+"/token")) }
	var old string
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // podd has written the tokens anew after its start
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
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { return read() != old, errors.New("the token is the old one") }))
}
