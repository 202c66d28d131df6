package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// Every command in the README works as written, in its order, on a machine where podd has never been: fresh /etc, /var,
// /run and /usr/local laid over the real ones. make test is the one that cannot run inside itself.
func TestReadme(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	repo, err := filepath.Abs("../../..")
	b.Must(err)
	text, err := os.ReadFile(filepath.Join(repo, "README.md"))
	b.Must(err)
	commands := commandsOf(string(text))
	if len(commands) < 10 {
		t.Fatalf("the README has only these commands: %q", commands)
	}
	typeAll(b, commands)
	targets := targetsOf(string(text))
	if len(targets) < 3 {
		t.Errorf("the README names only these make targets: %q", targets)
	}
	for _, target := range targets {
		if output, err := exec.Command("make", "-C", repo, "-n", target).CombinedOutput(); err != nil {
			t.Errorf("make %s: %v: %s", target, err, output)
		}
	}
}

// The commands of the tutorial work as written, after those of the README up to its image.
func TestTutorial(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	readme, err := os.ReadFile("../../../README.md")
	b.Must(err)
	tutorial, err := os.ReadFile("../../../docs/tutorial.md")
	b.Must(err)
	before, after := commandsOf(string(readme)), commandsOf(string(tutorial))
	install := slices.IndexFunc(before, func(c string) bool { return strings.HasPrefix(c, "install ") })
	image := slices.IndexFunc(before, func(c string) bool { return strings.Contains(c, "podd images load") })
	stop := slices.IndexFunc(before, func(c string) bool { return strings.HasPrefix(c, "kill ") })
	if install < 0 || image < install || stop < image || len(after) < 20 {
		t.Fatalf("the README does not install podd, load an image and stop podd, or the tutorial has only these commands: %q", after)
	}
	before[install] = strings.Replace(before[install], "bin/podd", harness.Suite.Podd, 1) // two builds at once would be in each other's way
	typeAll(b, slices.Concat(before[install:image+1], after, before[stop:stop+1]))
}

// typeAll runs commands in a shell of a fresh machine. A reader is slower than a test: a command about a pod that is not
// there yet is typed again.
func typeAll(b *harness.Board, commands []string) {
	b.T.Helper()
	repo, err := filepath.Abs("../../..")
	b.Must(err)
	holder := freshMachine(b)
	typed := func(command string) (string, error) {
		run := b.In("nsenter", "-t", fmt.Sprint(holder), "-m", "--", "bash", "-c", "cd "+repo+"; "+command)
		return outputOf(run, filepath.Join(b.Dir, "said"))
	}
	for _, command := range commands {
		err := lab.Poll(harness.Limit, func() (bool, error) {
			output, err := typed(command)
			return err == nil, fmt.Errorf("%s: %w: %s", command, err, output)
		})
		if err != nil {
			described, _ := typed("podd describe pods")
			b.T.Fatalf("%v\n%s", err, described)
		}
	}
}

// outputOf runs a command with its output in a file: a daemon that it leaves behind would keep a pipe open.
func outputOf(command *exec.Cmd, file string) (string, error) {
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer out.Close()
	command.Stdout, command.Stderr = out, out
	err = command.Run()
	said, _ := os.ReadFile(file)
	return string(said), err
}

// freshMachine starts a process whose mount namespace has empty layers over what the README's commands write to.
func freshMachine(b *harness.Board) int {
	b.T.Helper()
	script := `set -e
mount --make-rprivate /
mkdir ` + b.Dir + `/fresh
mount -t tmpfs fresh ` + b.Dir + `/fresh
cd ` + b.Dir + `/fresh
for d in etc var/lib var/log usr/local; do
	mkdir -p $d/upper $d/work
	mount -t overlay -o lowerdir=/$d,upperdir=$d/upper,workdir=$d/work overlay /$d
done
mount -t tmpfs run /run
mkdir -p /etc/podd /var/lib/podd
echo "cgroupRoot: ` + b.Cgroup().Path() + `" >/etc/podd/config.yaml
mount -t tmpfs podd /var/lib/podd
touch ` + b.Dir + `/fresh.ready
exec sleep 1000000`
	command := b.In("unshare", "-m", "bash", "-c", script)
	command.Stderr = os.Stderr
	b.Must(command.Start())
	b.T.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, err := os.Stat(b.Dir + "/fresh.ready")
		return err == nil, err
	}))
	return command.Process.Pid
}

// commandsOf are the lines of the shell blocks; a here-document is one command with what follows it.
func commandsOf(readme string) []string {
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		lines := strings.Split(strings.TrimSpace(block[1]), "\n")
		for i := 0; i < len(lines); i++ {
			command := lines[i]
			if strings.Contains(command, "<<'EOF'") {
				for i++; lines[i] != "EOF"; i++ {
					command += "\n" + lines[i]
				}
				command += "\nEOF"
			}
			commands = append(commands, command)
		}
	}
	return commands
}

// targetsOf are the make targets that the README tells to type: in backquotes or on an indented line.
func targetsOf(readme string) []string {
	var targets []string
	for _, match := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z]+)").FindAllStringSubmatch(readme, -1) {
		targets = append(targets, match[1])
	}
	return targets
}
