// Command mkimage makes a docker-archive from this machine's static busybox, for demonstrations and tests.
//
//	mkimage -o FILE -name REF [-entrypoint "/bin/x arg"] [-cmd "arg"] [-env A=b]... [-file SRC:DST]...
package main

import (
	"archive/tar"
	"flag"
	"fmt"
	"os"
	"path"
	"strings"

	"podd/images/imagetest"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("o", "", "`file` to write")
	name := flag.String("name", "", "the image's `name`, such as demo:1")
	entrypoint := flag.String("entrypoint", "", "`words` of the entrypoint, between spaces")
	cmd := flag.String("cmd", "", "`words` of the command, between spaces")
	user := flag.String("user", "", "`user` to run as")
	var files, env list
	flag.Var(&files, "file", "`SRC:DST`: a file of this machine and its place in the image; may be repeated")
	flag.Var(&env, "env", "`NAME=value`; may be repeated")
	flag.Parse()
	if *out == "" || *name == "" || flag.NArg() > 0 {
		flag.Usage()
		return fmt.Errorf("-o and -name are needed, and nothing beside flags")
	}
	extra, err := readFiles(files)
	if err != nil {
		return err
	}
	data, err := imagetest.Busybox(*name, imagetest.Config{
		Entrypoint: strings.Fields(*entrypoint), Cmd: strings.Fields(*cmd), Env: env, User: *user,
	}, extra...)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, data, 0o644)
}

// readFiles reads the files to add, keeping their mode. Folders above them are those of the image, or made when it is unpacked.
func readFiles(pairs []string) ([]imagetest.File, error) {
	var files []imagetest.File
	for _, pair := range pairs {
		src, dst, ok := strings.Cut(pair, ":")
		if !ok || !path.IsAbs(dst) {
			return nil, fmt.Errorf("-file %s: write SRC:DST with an absolute DST", pair)
		}
		st, err := os.Stat(src)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(src)
		if err != nil {
			return nil, err
		}
		files = append(files, imagetest.File{Header: tar.Header{Name: dst[1:], Mode: int64(st.Mode().Perm())}, Data: data})
	}
	return files, nil
}
