package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/state"
)

// model plays a board's life: the folder of manifests changes, pods come and go, the daemon dies, and claims.json with it.
type model struct {
	*board
	rnd     *rand.Rand
	claims  map[string]bool // in the folder of manifests
	volumes map[string]bool
	users   map[string]*state.Record // by claim
	placed  map[string]string        // by claim: where its data is, since a pod has first written some
	steps   []string
}

var (
	modelClaims  = []string{"a", "b", "short", "named"}
	modelVolumes = []string{"one", "two"}
)

func (m *model) manifests() []manifest.Object {
	list := []manifest.Object{deletingClass()}
	for _, name := range modelVolumes {
		if m.volumes[name] {
			list = append(list, hostVolume(name, "/srv/"+name))
		}
	}
	for _, name := range modelClaims {
		if !m.claims[name] {
			continue
		}
		switch name {
		case "short":
			list = append(list, claim(name, inClass("short-lived")))
		case "named":
			list = append(list, claim(name, func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "two" }))
		default:
			list = append(list, claim(name))
		}
	}
	return list
}

func (m *model) apply() {
	m.pods = nil
	for _, name := range modelClaims {
		if m.users[name] != nil {
			m.pods = append(m.pods, m.users[name])
		}
	}
	m.say(m.manifests()...)
}

func toggle(set map[string]bool, name string) string {
	set[name] = !set[name]
	return fmt.Sprintf("%s: %t", name, set[name])
}

// step does one thing at random and names it.
func (m *model) step() string {
	name := modelClaims[m.rnd.IntN(len(modelClaims))]
	switch m.rnd.IntN(10) {
	case 0, 1, 2:
		return "claim " + toggle(m.claims, name)
	case 3:
		return "volume " + toggle(m.volumes, modelVolumes[m.rnd.IntN(len(modelVolumes))])
	case 4:
		m.set = &manifest.Set{Problems: []manifest.Problem{{File: "bad.yaml", Reason: manifest.ReasonInvalid}}}
		return "a bad file"
	case 5:
		m.set = &manifest.Set{}
		return "no bad file"
	case 6:
		m.reopen()
		m.set = nil
		return "restart"
	case 7:
		delete(m.users, name)
		return "no pod with " + name
	default:
		return "a pod with " + name + ": " + m.usePod(name)
	}
}

// usePod lets a pod have a claim and write to it.
func (m *model) usePod(name string) string {
	rec := user("pod-"+name, name, "")
	got := m.Folder(m.view(), rec, name)
	if got.Err != nil {
		return got.Err.Error()
	}
	if got.Dir != "" {
		if err := os.MkdirAll(got.Folder, 0o700); err != nil {
			m.t.Fatal(err)
		}
	}
	rec.State = state.PodRunning
	rec.Volumes.MarkReady(map[string]string{"data": got.Folder}, nil)
	m.users[name] = rec
	if before := m.placed[name]; before != "" && before != got.Folder {
		m.t.Errorf("claim %s had %s, and a new pod gets %s", name, before, got.Folder)
	}
	m.placed[name] = got.Folder
	return got.Folder
}

// check holds what must be so whatever has happened.
func (m *model) check() {
	owners := map[string]string{}
	for key, b := range m.bound {
		if b.Lost {
			continue
		}
		if other := owners[b.Volume]; other != "" {
			m.t.Errorf("%s and %s are both bound to %s", key, other, b.Volume)
		}
		owners[b.Volume] = key
	}
	for name, rec := range m.users {
		folder := rec.Volumes.Folders["data"]
		if strings.HasPrefix(folder, m.root) {
			if _, err := os.Stat(folder); err != nil {
				m.t.Errorf("the folder under a pod of claim %s is gone: %v", name, err)
			}
		}
		if m.claims[name] {
			if got := m.Folder(m.view(), rec, name); got.Err != nil || got.Folder != folder {
				m.t.Errorf("the pod of claim %s has %s, and is now said to have %s, %v", name, folder, got.Folder, got.Err)
			}
		}
	}
	for name, folder := range m.placed {
		if !strings.HasPrefix(folder, m.root) {
			continue
		}
		_, err := os.Stat(folder)
		if gone := err != nil; gone && name != "short" {
			m.t.Errorf("the data of claim %s is gone", name)
		} else if gone {
			if m.claims[name] && m.users[name] != nil {
				m.t.Errorf("the data of claim %s is gone under its pod", name)
			}
			delete(m.placed, name)
		}
	}
	list, _ := m.Store.Objects(KindClaim)
	for _, o := range list {
		c := o.(*corev1.PersistentVolumeClaim)
		if bound := c.Status.Phase == corev1.ClaimBound; m.claims[c.Name] && bound != m.isBound("default/"+c.Name) || bound != (c.Spec.VolumeName != "" && len(c.Status.Capacity) == 1) {
			m.t.Errorf("claim %s is shown as %+v", c.Name, c.Status)
		}
	}
}

// Whatever happens to the folder, to pods and to the daemon: what a pod has stored in a claim is there again, no two claims
// have one volume, and nothing is removed that a pod uses or that may be wanted yet.
func TestClaimsModel(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			root, err := os.MkdirTemp("/dev/shm", "podd-claims-") // in memory: each step is committed
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(root) })
			m := &model{
				board: newBoardAt(t, root), rnd: rand.New(rand.NewPCG(seed, 1)),
				claims: map[string]bool{}, volumes: map[string]bool{}, users: map[string]*state.Record{}, placed: map[string]string{},
			}
			for range 20 {
				for range 1 + m.rnd.IntN(5) {
					m.steps = append(m.steps, m.step())
				}
				m.apply()
				m.Disk.Wait()
				if m.check(); t.Failed() {
					t.Fatalf("after:\n%s", strings.Join(m.steps, "\n"))
				}
			}
			left, _ := filepath.Glob(filepath.Join(m.root, "volumes", "*"))
			if slices.ContainsFunc(left, func(at string) bool { return strings.Contains(filepath.Base(at), "_restored") }) {
				t.Errorf("left: %v", left)
			}
		})
	}
}
