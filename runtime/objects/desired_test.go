package objects

import (
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
	"podd/runtime/seal"
)

type recorded struct {
	ref             corev1.ObjectReference
	reason, message string
}

func newDesired(t *testing.T) (*Desired, *[]recorded) {
	var events []recorded
	return &Desired{
		Keys: seal.Keys{Root: t.TempDir()}, Log: slog.New(slog.DiscardHandler),
		RecordEvent: func(_ time.Time, ref corev1.ObjectReference, _, reason, message string) {
			events = append(events, recorded{ref, reason, message})
		},
	}, &events
}

func object(kind, name, hash string, value kinds.Value) manifest.Object {
	value.SetName(name)
	value.SetNamespace("default")
	return manifest.Object{Kind: kind, Namespace: "default", Name: name, Hash: hash, File: "/m/" + name + ".yaml", Since: time.Unix(5, 0), Value: value}
}

func TestReplace(t *testing.T) {
	d, _ := newDesired(t)
	now := time.Now()
	a, b := Key{"ConfigMap", "default", "a"}, Key{"ConfigMap", "default", "b"}
	first := &corev1.ConfigMap{Data: map[string]string{"k": "1"}}
	for i, step := range []struct {
		list    []manifest.Object
		changed []Key
	}{
		{[]manifest.Object{object("ConfigMap", "b", "1", &corev1.ConfigMap{}), object("ConfigMap", "a", "1", first)}, []Key{a, b}},
		{[]manifest.Object{object("ConfigMap", "b", "1", &corev1.ConfigMap{}), object("ConfigMap", "a", "1", &corev1.ConfigMap{})}, nil},
		{[]manifest.Object{object("ConfigMap", "b", "2", &corev1.ConfigMap{}), object("ConfigMap", "a", "1", &corev1.ConfigMap{})}, []Key{b}},
		{[]manifest.Object{object("ConfigMap", "a", "1", &corev1.ConfigMap{})}, []Key{b}},
		{nil, []Key{a}},
	} {
		before := d.Get("ConfigMap", "default", "a")
		changed := d.Replace(step.list, now)
		if len(changed) != len(step.changed) {
			t.Errorf("step %d: changed %v", i, changed)
		}
		for _, key := range step.changed {
			if !changed[key] {
				t.Errorf("step %d: %v has not changed", i, key)
			}
		}
		if after := d.Get("ConfigMap", "default", "a"); before != nil && after != nil && before.Value != after.Value {
			t.Errorf("step %d: the same version has another value", i)
		}
		if list := d.List("ConfigMap"); len(list) != len(step.list) || !slices.IsSortedFunc(list, func(a, b *manifest.Object) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("step %d: listed %v", i, list)
		}
	}
	d.Replace([]manifest.Object{object("ConfigMap", "a", "1", first)}, now)
	if at := d.Get("ConfigMap", "default", "a").Value.GetCreationTimestamp(); !at.Time.Equal(time.Unix(5, 0)) || !first.CreationTimestamp.IsZero() {
		t.Errorf("it is there since %v, and the manifest's own object since %v", at, first.CreationTimestamp)
	}
	if d.Get("Secret", "default", "a") != nil || d.List("Secret") != nil {
		t.Error("an object is of two kinds")
	}
}

// A sealed Secret is open for who uses it; one that cannot be opened is empty and says why, once and until it can.
func TestSealedSecrets(t *testing.T) {
	d, events := newDesired(t)
	identity, err := d.Keys.Identity()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := seal.Keys{Root: t.TempDir()}.Identity()
	if err != nil {
		t.Fatal(err)
	}
	secret := func(hash, form, recipient string) manifest.Object {
		t.Helper()
		data, err := seal.Seal(seal.Place{Namespace: "default", Name: "db", Key: "password"}, []byte("hunter2"), []string{recipient})
		if err != nil {
			t.Fatal(err)
		}
		return object("Secret", "db", hash, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotation.SealedKey: form}}, Data: map[string][]byte{"password": data},
		})
	}
	key := Key{"Secret", "default", "db"}
	for _, step := range []struct {
		name   string
		o      manifest.Object
		value  string
		why    string
		events int
	}{
		{"ours", secret("1", seal.Form, identity.Recipient().String()), "hunter2", "", 0},
		{"another board's", secret("2", seal.Form, theirs.Recipient().String()), "", "seal it for " + identity.Recipient().String(), 1},
		{"the same again", secret("2", seal.Form, theirs.Recipient().String()), "", "sealed for other boards", 1},
		{"a form of the future", secret("3", "v9", identity.Recipient().String()), "", `does not know the form "v9"`, 2},
		{"ours again", secret("4", seal.Form, identity.Recipient().String()), "hunter2", "", 2},
	} {
		sealed := string(step.o.Value.(*corev1.Secret).Data["password"])
		d.Replace([]manifest.Object{step.o}, time.Now())
		s := d.Get(key.Kind, key.Namespace, key.Name).Value.(*corev1.Secret)
		if string(s.Data["password"]) != step.value {
			t.Errorf("%s: the value is %q", step.name, s.Data["password"])
		}
		if string(step.o.Value.(*corev1.Secret).Data["password"]) != sealed {
			t.Errorf("%s: the manifest's own object was opened", step.name)
		}
		err := d.Locked(key)
		if (err != nil) != (step.why != "") || err != nil && !strings.Contains(err.Error(), step.why) {
			t.Errorf("%s: locked because %v", step.name, err)
		}
		if len(*events) != step.events {
			t.Errorf("%s: events %v", step.name, *events)
		}
		if err != nil && ((*events)[len(*events)-1].message != err.Error() || (*events)[len(*events)-1].ref != key.Reference()) {
			t.Errorf("%s: event %v, error %v", step.name, *events, err)
		}
	}
	d.Replace([]manifest.Object{secret("5", "v9", identity.Recipient().String())}, time.Now())
	d.Replace(nil, time.Now())
	if err := d.Locked(key); err != nil {
		t.Errorf("a Secret that is gone is locked: %v", err)
	}
}

func TestReadableSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		mode  fs.FileMode
		data  map[string][]byte
		warns bool
	}{
		"of everybody": {0o644, map[string][]byte{"k": {1}}, true},
		"of a group":   {0o640, map[string][]byte{"k": {1}}, false},
		"empty":        {0o644, nil, false},
		"of before":    {0, map[string][]byte{"k": {1}}, false},
	} {
		d, events := newDesired(t)
		o := object("Secret", "db", "1", &corev1.Secret{Data: c.data})
		o.Mode = c.mode
		d.Replace([]manifest.Object{o}, time.Now())
		if warned := len(*events) == 1 && (*events)[0].reason == "SecretReadable" && strings.HasPrefix((*events)[0].message, "/m/db.yaml: "); warned != c.warns || len(*events) > 1 {
			t.Errorf("%s: %v", name, *events)
		}
	}
}
