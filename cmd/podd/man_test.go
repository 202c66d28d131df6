package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"podd/cmd/podd/internal/config"
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

// Every command has an example, of the command itself, with flags that there are; and every page says what the exit status
// is.
func TestExamples(t *testing.T) {
	root := newRootCommand()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c != root {
			return
		}
		page := manPage(c)
		for _, section := range []string{".SH EXAMPLES", ".SH EXIT STATUS"} {
			if strings.Count(page, section+"\n") != 1 {
				t.Errorf("the page of %q has not one section %s", c.CommandPath(), section)
			}
		}
		own := false
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " -- ")
			for _, part := range regexp.MustCompile(`&&|[|<>]`).Split(line, -1) {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "podd" {
					continue
				}
				of, _, err := root.Find(words[1:])
				if err != nil {
					t.Errorf("%s: %q: %v", c.CommandPath(), part, err)
					continue
				}
				own = own || of == c || of.Parent() == c
				for _, word := range words {
					if name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "="); strings.HasPrefix(word, "--") && of.Flag(name) == nil {
						t.Errorf("%s: %q: there is no flag %s", c.CommandPath(), part, word)
					}
				}
			}
		}
		if !own {
			t.Errorf("%s has no example of itself: %q", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
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
	b.WriteString(".SH EXIT STATUS\n" + roffText(exitStatus(c)))
	if !c.HasParent() {
		b.WriteString(manFiles())
	}
	manSeeAlso(&b, c)
	return b.String()
}

// exitStatus says what a command ends with.
func exitStatus(c *cobra.Command) string {
	switch c.Name() {
	case "exec":
		return "That of the command; 126 and 127 if it cannot be started, and 1 if podd cannot."
	case "diff":
		return "0: nothing would change, 1: something would, 2: some of it could not be compared."
	case "status":
		return "0: all is well, 1: something is not, or no daemon answers."
	}
	return "0: it is done, 1: it could not be done, and a sentence on stderr says why, 130: it was interrupted."
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
	c := config.Default()
	var b strings.Builder
	b.WriteString(".SH FILES\n")
	for _, f := range [][2]string{
		{config.DefaultFile, "the configuration, every setting with its default"},
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

// The manual names every command with its flags, and every setting, and none that does not exist.
func TestManual(t *testing.T) {
	text := readDocument(t, "docs/manual.md")
	commands := tableRows(t, text, "## Commands")
	settings := tableRows(t, text, "## Settings")
	root := newRootCommand()
	rows := map[*cobra.Command][]string{}
	for _, row := range commands {
		typed := strings.Fields(strings.Trim(row[0], "`"))
		c, rest, err := root.Find(typed[1:])
		if err != nil || c == root || typed[0] != "podd" || c.HasAvailableSubCommands() && len(rest) > 0 {
			t.Errorf("the manual has a command that there is not: %s", row[0])
			continue
		}
		rows[c] = append(rows[c], row[0]+row[1])
	}
	named := regexp.MustCompile("`[^`]*`")
	flags := regexp.MustCompile(`(^|[ ` + "`" + `\[])(--?)([a-z][a-z-]*)`)
	for c, texts := range rows {
		row := strings.Join(texts, " ")
		for _, code := range named.FindAllString(row, -1) {
			if strings.HasPrefix(code, "`podd ") {
				code, _, _ = strings.Cut(code, " -- ")
			}
			for _, m := range flags.FindAllStringSubmatch(code, -1) {
				if m[2] == "--" && c.Flag(m[3]) == nil || m[2] == "-" && c.Flags().ShorthandLookup(m[3]) == nil {
					t.Errorf("the manual gives %q a flag that it has not: %s%s", c.CommandPath(), m[2], m[3])
				}
			}
		}
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			of := row
			if defaultFlag(f.Name) {
				of = text
			}
			short := f.Shorthand != "" && regexp.MustCompile("[` \\[]-"+f.Shorthand+"[ `]").MatchString(of)
			if !short && !strings.Contains(of, "`--"+f.Name+"`") {
				t.Errorf("the manual lacks --%s of %q", f.Name, c.CommandPath())
			}
		})
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.IsAvailableCommand() && !c.HasAvailableSubCommands() && len(rows[c]) == 0 {
			t.Errorf("the manual lacks the command %q", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	var keys []string
	for _, row := range settings {
		for _, key := range named.FindAllString(row[0], -1) {
			keys = append(keys, strings.Trim(key, "`"))
		}
	}
	there := settingNames(reflect.TypeFor[config.Config](), "")
	for _, key := range keys {
		if !slices.Contains(there, key) {
			t.Errorf("the manual has a setting that there is not: %s", key)
		}
	}
	for _, key := range there {
		if !slices.Contains(keys, key) {
			t.Errorf("the manual lacks the setting %s", key)
		}
	}
}

// defaultFlag: a flag that stands once for all commands, not in each row.
func defaultFlag(name string) bool {
	var c config.Config
	shared := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.AddFlags(shared)
	return name == "namespace" || name == "help" || shared.Lookup(name) != nil
}

// settingNames are the keys of the configuration, with those inside of others behind a dot.
func settingNames(t reflect.Type, prefix string) (names []string) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch ours := f.Type.Kind() == reflect.Struct && strings.HasPrefix(f.Type.PkgPath(), "podd/"); {
		case !f.IsExported():
		case ours && key == "":
			names = append(names, settingNames(f.Type, prefix)...)
		case ours:
			names = append(names, settingNames(f.Type, prefix+key+".")...)
		default:
			names = append(names, prefix+key)
		}
	}
	return names
}

// tableRows are the cells of the first table below a heading.
func tableRows(t *testing.T, text, heading string) (rows [][]string) {
	t.Helper()
	_, text, ok := strings.Cut(text, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the manual has no section %q", heading)
	}
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00")
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
	}
	if len(rows) < 10 {
		t.Fatalf("the table of %q has only %d rows", heading, len(rows))
	}
	return rows[2:] // without its head
}

// readDocument reads a file of the repository, wherever in it this package is.
func readDocument(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("there is no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
