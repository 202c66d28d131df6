package imagepull

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"podd/images/imagetest"
)

// As many images are pulled at once as the settings let, in the order in which they were asked for; one that several
// containers wait for is pulled once.
func TestPullsTakeTurns(t *testing.T) {
	for _, parallel := range []int{1, 2, 0} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			b := newBoard(t)
			b.puller.Settings = func() Settings { return Settings{Parallel: parallel} }
			const images = 4
			for i := range images {
				b.reg.Add(t, fmt.Sprintf("app%d", i), "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("name", fmt.Sprint(i))}}}})
			}
			var mu sync.Mutex
			var asked []string
			hold := make(chan struct{})
			release := sync.OnceFunc(func() { close(hold) })
			defer release() // or the registry would wait for ever
			b.reg.Before = func(_ http.ResponseWriter, r *http.Request, what string) bool {
				if what != "manifests" || !strings.HasSuffix(r.URL.Path, "/manifests/v1") {
					return false
				}
				mu.Lock()
				asked = append(asked, strings.Split(r.URL.Path, "/")[2])
				mu.Unlock()
				<-hold
				return false
			}
			held := func() int {
				mu.Lock()
				defer mu.Unlock()
				return len(asked)
			}
			waiting := func() int {
				b.puller.turns.mu.Lock()
				defer b.puller.turns.mu.Unlock()
				return len(b.puller.turns.queue)
			}
			want := parallel
			if want == 0 {
				want = images
			}
			var pulls sync.WaitGroup
			for i := range images {
				for range 3 { // containers
					pulls.Go(func() {
						if out := b.puller.Pull(t.Context(), Request{Image: fmt.Sprintf("%s/app%d:v1", b.host, i)}); out.Err != nil {
							t.Error(out.Err)
						}
					})
				}
				wantHeld, wantWaiting := min(i+1, want), max(i+1-want, 0)
				await(t, func() bool { return held() == wantHeld && waiting() == wantWaiting })
			}
			release()
			pulls.Wait()
			seen := map[string]bool{}
			for i, name := range asked {
				if seen[name] {
					t.Errorf("%s was asked for twice", name)
				}
				seen[name] = true
				if parallel == 1 && name != fmt.Sprintf("app%d", i) {
					t.Errorf("pull %d is of %s", i, name)
				}
			}
			if len(seen) != images {
				t.Errorf("pulled were %v", asked)
			}
		})
	}
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 20 seconds")
		}
	}
}
