// Package docs has the documentation, and the tests that hold it to the repository.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// documents are all Markdown files that somebody maintains by hand.
func documents(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	if len(list) < 30 {
		t.Fatalf("only %d documents are here", len(list))
	}
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Each link leads to a file of the repository, and its anchor to a heading there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, file := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			checked++
			name, anchor, _ := strings.Cut(m[1], "#")
			to := file
			if name != "" {
				to = filepath.Join(filepath.Dir(file), name)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s leads nowhere", file, m[1])
				continue
			}
			if anchor != "" && !anchors(read(t, to))[anchor] {
				t.Errorf("%s: %s has no such heading", file, m[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

// anchors are those that GitHub gives to headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(text, -1) {
		heading := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(heading, " ", "-")] = true
	}
	return found
}

// Every document is in the index.
func TestIndex(t *testing.T) {
	index := read(t, "README.md")
	for _, file := range documents(t) {
		if filepath.Dir(file) == "." && file != "README.md" && !strings.Contains(index, "("+file) {
			t.Errorf("the index lacks %s", file)
		}
	}
}

// Text is at most 120 columns wide: not so tables and what programs print, which cannot be broken.
func TestLineLength(t *testing.T) {
	for _, file := range documents(t) {
		code := false
		for i, line := range strings.Split(read(t, file), "\n") {
			if strings.HasPrefix(line, "```") {
				code = !code
			}
			if n := utf8.RuneCountInString(line); n > 120 && !code && !strings.HasPrefix(strings.TrimSpace(line), "|") {
				t.Errorf("%s:%d has %d columns", file, i+1, n)
			}
		}
	}
}

// The files and folders that the page on architecture names are there.
func TestArchitectureNamesWhatThereIs(t *testing.T) {
	text := read(t, "architecture.md")
	checked := 0
	for _, m := range regexp.MustCompile("`([a-z_0-9]+(?:/[a-z_0-9]+)*(?:\\.go)?)`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "/") {
			continue
		}
		checked++
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("there is no %s", m[1])
		}
	}
	if checked < 40 {
		t.Errorf("only %d names were checked", checked)
	}
	_, owners, _ := strings.Cut(text, "\n## Which package owns what\n")
	owners, _, _ = strings.Cut(owners, "\n## ")
	var packages []string
	for _, below := range []string{"runtime", "netns", "cmd/podd/internal"} {
		found, err := filepath.Glob("../" + below + "/*/*.go")
		if err != nil || len(found) == 0 {
			t.Fatalf("the packages below %s cannot be listed: %v", below, err)
		}
		packages = append(packages, found...)
	}
	for _, file := range packages {
		name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../")
		if !strings.Contains(owners, "`"+name+"`") {
			t.Errorf("the page does not say what %s owns", name)
			owners += "`" + name + "`" // once
		}
	}
}
