package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

const compile = "regexp.MustCompile("

// lazily stands beside a package's own files. The methods are those that its expressions are asked by.
const lazily = `

import (
	"regexp"
	"sync"
)

type lazyRegexp func() *regexp.Regexp

func lazily(text string) lazyRegexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (l lazyRegexp) MatchString(s string) bool { return l().MatchString(s) }
`

// makeLazy replaces the expressions of a package by such as are compiled when they are first asked.
func makeLazy(files []string) error {
	found := false
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(data, []byte(compile)) {
			continue
		}
		found = true
		if err := os.WriteFile(file, bytes.ReplaceAll(data, []byte(compile), []byte("lazily(")), 0o644); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("there is no regular expression any more")
	}
	dir := filepath.Dir(files[0])
	return os.WriteFile(filepath.Join(dir, "lazily.go"), []byte("package "+filepath.Base(dir)+lazily), 0o644)
}
