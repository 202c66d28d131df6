package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkManyObjects shows that a file costs what its objects cost: time for each of them does not grow with their number.
func BenchmarkManyObjects(b *testing.B) {
	for _, n := range []int{1000, 4000, 16000} {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
		}
		text := []byte(strings.Join(docs, "---\n"))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				if objects, problems := Parse("f", text); len(objects) != n || len(problems) > 0 {
					b.Fatal(len(objects), problems)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/object")
		})
	}
}

// TestConcern: looking a problem up gives what asking each one does.
func TestConcern(t *testing.T) {
	var problems []Problem
	for _, kind := range []string{"", "Pod", "Service"} {
		for _, namespace := range []string{"", "a"} {
			for _, name := range []string{"", "x"} {
				problems = append(problems, Problem{Kind: kind, Namespace: namespace, Name: name}, Problem{Kind: kind, Namespace: namespace, Name: name, Other: true})
			}
		}
	}
	for i := range problems {
		for _, kind := range []string{"Pod", "Service", "PersistentVolume"} {
			for _, namespace := range []string{"", "a", "b"} {
				for _, name := range []string{"x", "y"} {
					o := &Object{Kind: kind, Namespace: namespace, Name: name}
					if got, want := NewConcern(problems[i:i+1]).Has(o), problems[i].Concerns(o); got != want {
						t.Errorf("%+v about %s: %t, want %t", problems[i], o.Key(), got, want)
					}
				}
			}
		}
	}
}

// TestCostIsLinear counts what reading a file of many objects allocates: four times as many objects, four times as much. Keys
// are put together at every look, so that what looks at all objects for each of them shows.
func TestCostIsLinear(t *testing.T) {
	cost := func(n int) float64 {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {k: v, bad: %d}\n", i, i) // refused: a number
			if i%2 == 0 {
				docs[i] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
			}
		}
		text := []byte(strings.Join(docs, "---\n"))
		return testing.AllocsPerRun(1, func() {
			objects, problems := Parse("f", text)
			index, concern := IndexOf(objects), NewConcern(problems)
			for i := range objects {
				if index[objects[i].Key()] == nil || concern.Has(&objects[i]) {
					t.Fatalf("object %d is not found, or refused", i)
				}
			}
		})
	}
	small, large := cost(200), cost(800)
	if large > 4.4*small {
		t.Errorf("200 objects take %.0f allocations, 800 take %.0f", small, large)
	}
}
