package job

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/workload"
)

// intervals are the indexes of an indexed Job in the form of its status, such as 1,3-5,7: in order, and none next to
// another.
type intervals []interval

type interval struct{ first, last int }

// parse reads indexes below most. What does not parse is left out.
func parse(text string, most int) (list intervals) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		if first >= most {
			break
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
			last = min(last, most-1)
		}
		if n := len(list); n > 0 && list[n-1].last == first-1 {
			list[n-1].last = last
		} else {
			list = append(list, interval{first, last})
		}
	}
	return list
}

func (l intervals) String() string {
	var b strings.Builder
	for _, v := range l {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(v.first))
		if v.last > v.first {
			if v.last == v.first+1 {
				b.WriteByte(',')
			} else {
				b.WriteByte('-')
			}
			b.WriteString(strconv.Itoa(v.last))
		}
	}
	return b.String()
}

func (l intervals) total() (n int) {
	for _, v := range l {
		n += v.last - v.first + 1
	}
	return n
}

func (l intervals) has(i int) bool {
	at, found := slices.BinarySearchFunc(l, i, func(v interval, i int) int { return v.last - i })
	return found || at < len(l) && l[at].first <= i
}

// with adds indexes.
func (l intervals) with(indexes []int) intervals {
	add := make(intervals, len(indexes))
	for i, ix := range indexes {
		add[i] = interval{ix, ix}
	}
	return l.and(add)
}

// and is all that is in one or the other.
func (l intervals) and(others intervals) intervals {
	list := append(slices.Clone(l), others...)
	sort.Slice(list, func(i, j int) bool { return list[i].first < list[j].first })
	var out intervals
	for _, v := range list {
		if n := len(out); n > 0 && v.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, v.last)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// overlap is how many indexes are in both.
func (l intervals) overlap(other intervals) (n int) {
	for i, j := 0, 0; i < len(l) && j < len(other); {
		n += max(min(l[i].last, other[j].last)-max(l[i].first, other[j].first)+1, 0)
		if l[i].last < other[j].last {
			i++
		} else {
			j++
		}
	}
	return n
}

// noIndex is that of a pod that has none.
const noIndex = -1

func index(p *corev1.Pod) int {
	n, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil || n < 0 {
		return noIndex
	}
	return n
}

// hasIndex says whether the index of a pod is one of the Job's.
func (s *step) hasIndex(p *corev1.Pod) bool {
	ix := index(p)
	return ix != noIndex && ix < int(*s.j.Spec.Completions)
}

// annotated is a number that somebody may have written over.
func annotated(p *corev1.Pod, key string) int32 {
	n, err := strconv.ParseInt(p.Annotations[key], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// failures is how often an index had failed when this pod of it was made.
func failures(p *corev1.Pod) int32 {
	return annotated(p, batchv1.JobIndexFailureCountAnnotation) + annotated(p, batchv1.JobIndexIgnoredFailureCountAnnotation)
}

// pending are the first indexes, at most n, that nobody works on and that have not ended.
func (s *step) pending(n int) (list []int) {
	var busy []int
	for _, p := range s.active {
		if ix := index(p); ix != noIndex {
			busy = append(busy, ix)
		}
	}
	if s.waitsForEnd() {
		for _, p := range s.pods {
			if ix := index(p); ix != noIndex && workload.Terminating(p) {
				busy = append(busy, ix)
			}
		}
	}
	candidate, most := 0, int(*s.j.Spec.Completions)
	for _, v := range s.done.with(busy).and(s.lost) {
		for ; candidate < v.first && candidate < most && len(list) < n; candidate++ {
			list = append(list, candidate)
		}
		candidate = max(candidate, v.last+1)
	}
	for ; candidate < most && len(list) < n; candidate++ {
		list = append(list, candidate)
	}
	return list
}

// surplus divides the active pods into those that have no place, because they have no index, one that is not the Job's,
// or one that a better pod has, and the rest.
func (s *step) surplus() (surplus, rest []*corev1.Pod) {
	byIndex := map[int][]*corev1.Pod{}
	for _, p := range s.active {
		if !s.hasIndex(p) {
			surplus = append(surplus, p)
			continue
		}
		byIndex[index(p)] = append(byIndex[index(p)], p)
	}
	for ix := range int(*s.j.Spec.Completions) {
		list := byIndex[ix]
		if len(list) == 0 {
			continue
		}
		slices.SortStableFunc(list, workload.ByActivity)
		surplus = append(surplus, list[:len(list)-1]...)
		rest = append(rest, list[len(list)-1])
	}
	return surplus, rest
}
