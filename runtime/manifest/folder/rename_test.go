package folder

import (
	"os"
	"strings"
	"testing"
	"time"
)

func (b *board) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(b.path(from), b.path(to)); err != nil {
		b.t.Fatal(err)
	}
}

// badYAML is podYAML with a field that does not exist.
func badYAML(name string) string { return strings.Replace(podYAML(name, "two"), "image", "imago", 1) }

func TestRenamedBadFileKeepsItsPod(t *testing.T) {
	tests := []struct {
		name, bad string
		move      func(b *board, bad string)
	}{
		{"moved", badYAML("a"), func(b *board, _ string) { b.rename("1.yaml", "9.yaml") }},
		{"moved, not parsed", ": : [", func(b *board, _ string) { b.rename("1.yaml", "9.yaml") }},
		{"copied", badYAML("a"), func(b *board, bad string) {
			b.write("9.yaml", bad)
			b.remove("1.yaml")
		}},
		{"copied, and young", badYAML("a"), func(b *board, bad string) {
			b.writeAged("9.yaml", bad, 0)
			b.remove("1.yaml")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBoard(t)
			b.write("1.yaml", podYAML("a", "one"))
			b.want("1.yaml/a@one")
			uid := b.scan().Pods[0].Object.UID
			b.write("1.yaml", tt.bad)
			b.want("1.yaml/a@one stale; 1.yaml: InvalidManifest a")
			tt.move(b, tt.bad)
			for range 5 { // at no instant is the pod away
				if set := b.f.Scan(b.now); len(set.Pods) != 1 || set.Pods[0].Object.UID != uid {
					t.Fatalf("folder says %q", show(set))
				}
				b.now = b.now.Add(300 * time.Millisecond)
			}
			b.want("9.yaml/a@one stale; 9.yaml: InvalidManifest a")
			b.restart() // a reboot
			b.want("9.yaml/a@one stale; 9.yaml: InvalidManifest a")
			if got := b.scan().Pods[0].Object.UID; got != uid {
				t.Errorf("the pod is %s, was %s", got, uid)
			}
			b.remove("9.yaml")
			b.want("")
		})
	}
}

func TestRenamedAndBrokenAtOnceKeepsItsPod(t *testing.T) {
	b := newBoard(t)
	b.write("1.yaml", podYAML("a", "one"))
	b.want("1.yaml/a@one")
	b.rename("1.yaml", "9.yaml")
	b.write("9.yaml", ": : [")
	b.want("9.yaml/a@one stale; 9.yaml: InvalidManifest a")
	// Over another manifest: what was in that goes.
	b.write("2.yaml", podYAML("b", "one"))
	b.want("2.yaml/b@one; 9.yaml/a@one stale; 9.yaml: InvalidManifest a")
	b.write("9.yaml", badYAML("a"))
	b.rename("9.yaml", "2.yaml")
	b.want("2.yaml/a@one stale; 2.yaml: InvalidManifest a")
}

func TestNewBadFileKeepsNoOtherPod(t *testing.T) {
	b := newBoard(t)
	b.write("1.yaml", podYAML("a", "one"))
	b.write("2.yaml", badYAML("a"))
	b.want("1.yaml/a@one; 2.yaml: InvalidManifest a")
	b.now = b.now.Add(time.Minute)
	b.remove("1.yaml")
	b.want("2.yaml: InvalidManifest a")
	b.write("1.yaml", podYAML("c", "one"))
	b.want("1.yaml/c@one; 2.yaml: InvalidManifest a")
	b.remove("1.yaml")
	b.write("3.yaml", badYAML("d"))
	b.want("2.yaml: InvalidManifest a; 3.yaml: InvalidManifest d")
}

func TestProblemWithoutANameIsGivenToTheLastGoodPods(t *testing.T) {
	b := newBoard(t)
	b.write("web.yaml", podYAML("frontend", "one")+"---\n"+podYAML("backend", "one"))
	b.want("web.yaml/frontend@one; web.yaml/backend@one")
	b.write("web.yaml", ": : [")
	b.want("web.yaml/frontend@one stale; web.yaml/backend@one stale; web.yaml: InvalidManifest frontend; web.yaml: InvalidManifest backend")
	for _, p := range b.scan().Problems {
		if p.Namespace != "default" || p.Line != 1 {
			t.Errorf("problem is %+v", p)
		}
	}
	b.write("new.yaml", ": : [")
	b.want("web.yaml/frontend@one stale; web.yaml/backend@one stale; new.yaml: InvalidManifest ; web.yaml: InvalidManifest frontend; web.yaml: InvalidManifest backend")
}
