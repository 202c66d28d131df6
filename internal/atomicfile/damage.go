package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Damage is a file of state that could not be believed.
type Damage struct {
	Path  string
	Aside string // where it is now; "": it could not be renamed, or nothing was in it
	Cause error
}

func (d *Damage) Error() string {
	if d.Aside == "" {
		return fmt.Sprintf("%s is damaged: %s; it is not used", d.Path, cause(d.Cause))
	}
	return fmt.Sprintf("%s is damaged: %s; it was set aside as %s", d.Path, cause(d.Cause), filepath.Base(d.Aside))
}

func (d *Damage) Unwrap() error { return d.Cause }

// cause leaves out the path, which the sentence has already.
func cause(err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return named.Err
	}
	return err
}

// Report is told of what was found damaged, and what that means, e.g. "its pods start anew". Any goroutine may call it. The
// zero value tells nobody.
type Report func(damage *Damage, lost string)

// Of reports err if it is a *Damage and says whether it was one.
func (r Report) Of(err error, lost string) bool {
	var damage *Damage
	if !errors.As(err, &damage) {
		return false
	}
	if r != nil {
		r(damage, lost)
	}
	return true
}

const (
	asideInfix = ".damaged-"
	// maxAside is how many damaged files of one name are kept: the newest.
	maxAside = 3
)

// SetAside renames what stands at path, whatever it is, to NAME.damaged-N, of which the highest N is the newest, and returns
// a *Damage; fs.ErrNotExist if nothing is there.
func SetAside(path string, why error) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, name := filepath.Split(path)
	numbers := asideNumbers(dir, name)
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	aside := path + asideInfix + strconv.Itoa(next)
	if err := os.Rename(path, aside); err != nil {
		return &Damage{Path: path, Cause: errors.Join(why, err)}
	}
	for len(numbers) >= maxAside {
		_ = os.RemoveAll(path + asideInfix + strconv.Itoa(numbers[0]))
		numbers = numbers[1:]
	}
	return &Damage{Path: path, Aside: aside, Cause: why}
}

func asideNumbers(dir, name string) []int {
	entries, _ := os.ReadDir(filepath.Clean(dir))
	var numbers []int
	for _, e := range entries {
		of, n, _ := strings.Cut(e.Name(), asideInfix)
		if number, err := strconv.Atoi(n); err == nil && of == name && number > 0 && number < 1<<30 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// IsAside says of a name in a folder that it is that of a file which was set aside, and of which one.
func IsAside(name string) (of string, ok bool) {
	i := strings.LastIndex(name, asideInfix)
	if i < 0 {
		return "", false
	}
	if _, err := strconv.Atoi(name[i+len(asideInfix):]); err != nil {
		return "", false
	}
	return name[:i], true
}
