package logs

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"podd/internal/beneath"
)

// Names of rotated files are the kubelet's, <attempt>.log.20060102-150405 and the
// same with .gz. A second rotation within one second, or one after the clock was
// set back, takes the last stamp and a number: the names' order is that of time.
const (
	rotatedFormat = "20060102-150405"
	gzSuffix      = ".gz"
	tmpSuffix     = ".tmp"
)

// rotatedFile is a file that was the log before; it may be there in both forms for
// a moment.
type rotatedFile struct {
	stamp           string
	plain           string // name without .gz
	isPlain, isGzip bool
}

// listRotated lists the rotated files of the log base, oldest first.
func listRotated(dir *os.Root, base string) ([]rotatedFile, error) {
	names, err := beneath.List(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list logs: %w", err)
	}
	var list []rotatedFile
	at := map[string]int{} // by stamp
	for _, name := range names {
		plain, isGzip := strings.CutSuffix(name, gzSuffix)
		stamp, ok := strings.CutPrefix(plain, base+".")
		if !ok || !isStamp(stamp) {
			continue
		}
		if i, doubled := at[stamp]; doubled {
			list[i].isPlain, list[i].isGzip = true, true
			continue
		}
		at[stamp] = len(list)
		list = append(list, rotatedFile{stamp, plain, !isGzip, isGzip})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].stamp < list[j].stamp })
	return list, nil
}

// isStamp says whether s is 20060102-150405 with an optional .000001.
func isStamp(s string) bool {
	const numbered = "20060102-150405.000001"
	if len(s) != len(rotatedFormat) && len(s) != len(numbered) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if mark := numbered[i]; mark == '-' || mark == '.' {
			if s[i] != mark {
				return false
			}
		} else if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// stampAfter is wish if that sorts after last, or the stamp next to last.
func stampAfter(last, wish string) string {
	if wish > last {
		return wish
	}
	second, number, _ := strings.Cut(last, ".")
	if wish > second {
		return wish
	}
	n, _ := strconv.Atoi(number)
	return fmt.Sprintf("%s.%06d", second, n+1)
}
