// Command diet writes .cache/diet: copies of the modules that podd uses a small part of, without code that podd never
// runs and that the linker cannot know to be dead, and a go.mod that builds with them. See
// docs/decisions/032-diet.md; without it podd is the same, and larger.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const out = ".cache/diet"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hack/diet:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, r := range rules {
		name, dir, err := moduleOf(r.pkg)
		if err != nil {
			return err
		}
		if !done[name] {
			done[name] = true
			if err := copyModule(dir, filepath.Join(out, name)); err != nil {
				return err
			}
			mod = fmt.Appendf(mod, "\nreplace %s => ./%s/%s\n", name, out, name)
		}
		if err := r.apply(filepath.Join(out, r.pkg)); err != nil {
			return fmt.Errorf("%s: %w", r.pkg, err)
		}
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "go.sum"), sum, 0o644); err != nil {
		return err
	}
	// The last file: make takes it for the sign that all is there.
	return os.WriteFile(filepath.Join(out, "go.mod"), mod, 0o644)
}

func moduleOf(pkg string) (name, dir string, err error) {
	said, err := exec.Command("go", "list", "-f", "{{.Module.Path}} {{.Module.Dir}}", pkg).Output()
	if err != nil {
		return "", "", fmt.Errorf("no module has %s: %w", pkg, err)
	}
	name, dir, _ = strings.Cut(strings.TrimSpace(string(said)), " ")
	return name, dir, nil
}

// copyModule copies what a build may read.
func copyModule(from, to string) error {
	return filepath.WalkDir(from, func(file string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(file, "_test.go"), !slices.Contains([]string{".go", ".mod", ".c", ".h", ".s"}, filepath.Ext(file)):
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// apply cuts a package down.
func (r *rule) apply(dir string) error {
	for _, file := range r.files {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	for _, t := range r.texts {
		if err := t.apply(dir); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	if r.lazy {
		if err := makeLazy(files); err != nil {
			return err
		}
	}
	found := map[string]bool{}
	for _, file := range files {
		if err := r.rewrite(file, found); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, name := range slices.Concat(r.funcs, r.never) {
		if !found[name] {
			return fmt.Errorf("there is no function %s any more", name)
		}
	}
	return nil
}

func (t text) apply(dir string) error {
	file := filepath.Join(dir, t.file)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(data), t.old); n != 1 {
		return fmt.Errorf("%s has %d times %q", t.file, n, t.old)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(data), t.old, t.new, 1)), 0o644)
}

// rewrite leaves functions of a file out or empties them.
func (r *rule) rewrite(file string, found map[string]bool) error {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	var gone []ast.Node
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			return false
		}
		name := nameOf(fn)
		switch {
		case slices.Contains(r.never, name):
			found[name] = true
			gone = append(gone, fn.Body)
			fn.Body = &ast.BlockStmt{Lbrace: fn.Body.Lbrace, Rbrace: fn.Body.Rbrace, List: panics(fn.Body.Lbrace)}
			return false
		case slices.Contains(r.funcs, name):
			found[name] = true
			gone = append(gone, fn)
			return true
		}
		return false
	})
	if len(gone) == 0 && len(r.texts) == 0 && !r.lazy {
		return nil
	}
	dropComments(f, gone)
	if err := dropImports(f, gone); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := format.Node(&b, set, f); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// nameOf is a function's name, or Type.Name of a method.
func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if id, ok := receiver.(*ast.Ident); ok {
		return id.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

func panics(at token.Pos) []ast.Stmt {
	return []ast.Stmt{&ast.ExprStmt{X: &ast.CallExpr{
		Fun: &ast.Ident{NamePos: at, Name: "panic"}, Lparen: at, Rparen: at,
		Args: []ast.Expr{&ast.BasicLit{ValuePos: at, Kind: token.STRING, Value: `"podd is built without this function"`}},
	}}}
}

// dropComments takes the comments of what is gone.
func dropComments(f *ast.File, gone []ast.Node) {
	f.Comments = slices.DeleteFunc(f.Comments, func(c *ast.CommentGroup) bool {
		return slices.ContainsFunc(gone, func(n ast.Node) bool {
			from := n.Pos()
			if fn, ok := n.(*ast.FuncDecl); ok && fn.Doc != nil {
				from = fn.Doc.Pos()
			}
			return from <= c.Pos() && c.End() <= n.End()
		})
	})
}

// dropImports takes the imports that nothing uses any more.
func dropImports(f *ast.File, gone []ast.Node) error {
	used := map[string]bool{}
	for _, id := range f.Unresolved {
		if !slices.ContainsFunc(gone, func(n ast.Node) bool { return n.Pos() <= id.Pos() && id.End() <= n.End() }) {
			used[id.Name] = true
		}
	}
	names, err := importNames(f)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			g.Specs = slices.DeleteFunc(g.Specs, func(s ast.Spec) bool { return !used[names[s.(*ast.ImportSpec)]] })
		}
	}
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		g, ok := d.(*ast.GenDecl)
		return ok && g.Tok == token.IMPORT && len(g.Specs) == 0
	})
	return nil
}

// importNames are the names by which a file calls what it imports.
func importNames(f *ast.File) (map[*ast.ImportSpec]string, error) {
	names := map[*ast.ImportSpec]string{}
	for _, s := range f.Imports {
		if s.Name != nil {
			names[s] = s.Name.Name
			continue
		}
		said, err := exec.Command("go", "list", "-find", "-f", "{{.Name}}", strings.Trim(s.Path.Value, `"`)).Output()
		if err != nil {
			return nil, fmt.Errorf("what is %s: %w", s.Path.Value, err)
		}
		names[s] = strings.TrimSpace(string(said))
	}
	return names, nil
}
