package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manDir is where hack/man.sh wants the manual pages. They are made here, of the commands themselves, and so that no
// byte of it is in the binary.
var manDir = flag.String("man", "", "write the manual pages to this `folder`")

func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRootCommand()
	root.InitDefaultHelpFlag()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c != root {
			return
		}
		page := manPage(c)
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short description %q is no line for a manual page", c.CommandPath(), c.Short)
		}
		if err := os.WriteFile(filepath.Join(dir, manName(c)+".1"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for name, words := range map[string][]string{
		"podd":     {".SH NAME\npodd \\- Run Kubernetes pods", ".BR podd\\-run (1)", ".SH FILES", "/etc/podd/config.yaml"},
		"podd-run": {".SH OPTIONS", "\\fB\\-\\-pod\\-cidr\\fR", "SIGUSR1", ".BR podd (1)"},
		"podd-get": {"\\fB\\-o\\fR, \\fB\\-\\-output\\fR", ".SH SYNOPSIS"},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(string(data), w) {
				t.Errorf("%s.1 lacks %q:\n%s", name, w, data)
			}
		}
	}
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is the page of one command (man 7 man).
func manPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"podd %s\" \"podd\"\n", roff(strings.ToUpper(manName(c))), roff(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", roffText(text))
	manOptions(&b, "OPTIONS", c.NonInheritedFlags())
	manOptions(&b, "COMMON OPTIONS", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	if !c.HasParent() {
		b.WriteString(manFiles())
	}
	manSeeAlso(&b, c)
	return b.String()
}

func manOptions(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			name = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			name += ` \fI` + roff(value) + `\fR`
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" {
			usage += fmt.Sprintf(" (%s)", f.DefValue)
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", name, roff(usage))
	})
}

func manFiles() string {
	c := defaultConfig()
	var b strings.Builder
	b.WriteString(".SH FILES\n")
	for _, f := range [][2]string{
		{defaultConfigFile, "the configuration, every setting with its default"},
		{c.Manifests, "the pods"},
		{c.Images, "archives of images, imported when they appear"},
		{c.Root, "images, volumes, writable layers"},
		{c.RunDir, "what dies with the machine"},
		{c.LogDir, "the containers' logs"},
	} {
		fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(f[0]), roff(f[1]))
	}
	return b.String()
}

func manSeeAlso(b *strings.Builder, c *cobra.Command) {
	var pages []string
	if c.HasParent() {
		pages = append(pages, manName(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, manName(sub))
		}
	}
	slices.Sort(pages)
	if len(pages) == 0 {
		return
	}
	fmt.Fprintln(b, ".SH SEE ALSO")
	for i, p := range pages {
		comma := " ,"
		if i == len(pages)-1 {
			comma = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(p), comma)
	}
}

// roffText sets paragraphs; lines that are indented stand as they are.
func roffText(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, " ") {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(paragraph))
			continue
		}
		fmt.Fprintln(&b, roff(paragraph))
	}
	return b.String()
}

// roff keeps text from being taken for a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func TestRoff(t *testing.T) {
	for in, want := range map[string]string{"a-b": `a\-b`, ".x\n'y": `\&.x` + "\n" + `\&'y`, `\n`: `\en`} {
		if got := roff(in); got != want {
			t.Errorf("roff(%q) = %q, want %q", in, got, want)
		}
	}
}
