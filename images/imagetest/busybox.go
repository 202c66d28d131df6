package imagetest

import (
	"archive/tar"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// BusyboxPath is where Debian's busybox-static lies.
const BusyboxPath = "/bin/busybox"

// Busybox makes a docker-archive named ref of this machine's static busybox, with a link for each applet, and of extra
// files. Without an entrypoint and a command it runs sh.
func Busybox(ref string, c Config, extra ...File) ([]byte, error) {
	files, err := BusyboxFiles()
	if err != nil {
		return nil, err
	}
	if len(c.Entrypoint) == 0 && len(c.Cmd) == 0 {
		c.Cmd = []string{"sh"}
	}
	if !slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		c.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env...)
	}
	layers := []Layer{{Files: files}}
	if len(extra) > 0 {
		layers = append(layers, Layer{Files: extra})
	}
	return DockerArchive(Image{Names: []string{ref}, Config: c, Layers: layers})
}

// BusyboxFiles is a root with busybox, its applets, /etc/passwd and the folders that programs expect.
func BusyboxFiles() ([]File, error) {
	data, err := os.ReadFile(BusyboxPath)
	if err != nil {
		return nil, fmt.Errorf("cannot read busybox, install Debian's busybox-static: %w", err)
	}
	list, err := exec.Command(BusyboxPath, "--list-full").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the applets of busybox: %w", err)
	}
	var files []File
	for _, dir := range []string{"bin", "dev", "etc", "home", "proc", "root", "run", "sbin", "sys", "usr", "usr/bin", "usr/sbin", "var"} {
		files = append(files, Dir(dir+"/"))
	}
	files = append(files,
		File{Header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}},
		File{Header: tar.Header{Name: "bin/busybox", Mode: 0o755}, Data: data},
		Regular("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
		Regular("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
	)
	for _, applet := range strings.Fields(string(list)) {
		if applet = strings.TrimPrefix(applet, "/"); applet != "bin/busybox" && strings.Contains(applet, "bin/") {
			files = append(files, Symlink(applet, "/bin/busybox"))
		}
	}
	return files, nil
}
