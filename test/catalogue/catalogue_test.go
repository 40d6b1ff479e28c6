// Package catalogue holds the catalogue of checks against the code: a code that
// nothing raises, or that no test has seen, fails the build. That each has a
// page and an example is tested in internal/check.
package catalogue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	pathpkg "path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

const root = "../.."

// exempt are codes that the test can't see, each with its reason.
var exempt = map[string]string{}

// use is where codes are.
type use map[string][]string // code -> files

func (u use) add(code, file string) {
	if !slices.Contains(u[code], file) {
		u[code] = append(u[code], file)
	}
}

// symptoms is the table of what devices print. It names nearly every check as a
// possible cause, which proves nothing of the gateway; only for the causes that
// the gateway can't see is naming them raising them.
const symptoms = "internal/diagnose/symptom/"

// deviceSide are the files of package check with those causes.
var deviceSide = []string{"credential.go", "file.go", "path.go", "provisioning.go"}

// unlessSymptom is add without what the table of symptoms only names.
func (u use) unlessSymptom(ofDevice map[string]bool) func(code, file string) {
	return func(code, file string) {
		if !strings.HasPrefix(file, symptoms) || ofDevice[code] {
			u.add(code, file)
		}
	}
}

// TestEveryCodeIsRaisedAndTested walks the files of the repository. Raised is a
// code whose variable or text stands in shipped code, other than in a comparison,
// a declaration or a list that only looks it up. Tested is one that stands in a
// test or in what a test compares with.
func TestEveryCodeIsRaisedAndTested(t *testing.T) {
	names := declared(t) // variable -> code
	raised, tested := use{}, use{}
	all := files(t)
	ofDevice := map[string]bool{} // codes of causes that only the device's side can name
	for _, file := range deviceSide {
		visit(t, "internal/check/"+file, names, nil, false, func(code, _ string) { ofDevice[code] = true })
	}
	var consts []constant
	for _, path := range all {
		if kindOf(path) == shipped {
			consts = append(consts, constants(t, path)...)
		}
	}
	for _, path := range all {
		switch kindOf(path) {
		case other:
		case shipped:
			visit(t, path, names, consts, true, raised.unlessSymptom(ofDevice))
		case ofTest:
			visit(t, path, names, consts, false, tested.unlessSymptom(ofDevice))
		case golden:
			text, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range codeForm.FindAllString(string(text), -1) {
				tested.unlessSymptom(ofDevice)(code, path)
			}
		}
	}
	for _, c := range check.All() {
		if reason := exempt[c.Code]; reason != "" {
			continue
		}
		if len(raised[c.Code]) == 0 {
			t.Errorf("%s: nothing raises it; raise it or take it out of the catalogue", c.Code)
		}
		if len(tested[c.Code]) == 0 {
			t.Errorf("%s: no test outside internal/check has it", c.Code)
		}
	}
	for code, reason := range exempt {
		if _, ok := check.Lookup(code); !ok || len(raised[code]) > 0 && len(tested[code]) > 0 || reason == "" {
			t.Errorf("%s needs no exemption", code)
		}
	}
}

// A kind is what a file is for.
type kind int

const (
	other   kind = iota // the catalogue itself, and programs and packages of tests
	shipped             // code
	ofTest              // a test
	golden              // what a test compares with
)

func kindOf(path string) kind {
	switch {
	case strings.HasPrefix(path, "internal/check/"), strings.HasPrefix(path, "test/catalogue/"):
		return other
	case !strings.HasSuffix(path, ".go"):
		return golden
	case strings.HasSuffix(path, "_test.go"):
		return ofTest
	case strings.HasPrefix(path, "test/"), strings.Contains(path, "/testdata/"):
		return other
	}
	return shipped
}

var codeForm = regexp.MustCompile(`[a-z][a-z0-9_]*(\.[a-z0-9_]+)+`)

// files lists the files of the repository that are read, with slashes.
func files(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == ".git" || name == "node_modules" || name == "docs" {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		compared := strings.Contains(rel, "/testdata/") && slices.Contains([]string{".txt", ".txtar", ".golden", ".json"}, filepath.Ext(rel)) && !strings.Contains(rel, "/fuzz/")
		if compared || strings.HasSuffix(rel, ".go") && !strings.HasPrefix(name, "zz_generated") {
			list = append(list, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 200 {
		t.Fatalf("only %d files found", len(list))
	}
	return list
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// declared reads which variable of package check has which code.
func declared(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, path := range files(t) {
		if !strings.HasPrefix(path, "internal/check/") || strings.HasSuffix(path, "_test.go") || strings.Count(path, "/") != 2 {
			continue
		}
		ast.Inspect(parse(t, path), func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				return true
			}
			call, ok := spec.Values[0].(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			code := ""
			switch fn, _ := call.Fun.(*ast.Ident); {
			case fn == nil:
			case fn.Name == "register":
				if lit, ok := call.Args[0].(*ast.CompositeLit); ok {
					code = text(field(lit, "Code"))
				}
			case fn.Name == "step":
				code = text(call.Args[0])
			case fn.Name == "lint":
				code = "policy.lint." + text(call.Args[0])
			}
			if code != "" {
				names[spec.Names[0].Name] = code
			}
			return true
		})
	}
	for _, c := range check.All() {
		if !slices.Contains(slices.Collect(maps.Values(names)), c.Code) {
			t.Errorf("no variable of package check found for %s", c.Code)
		}
	}
	return names
}

func field(lit *ast.CompositeLit, name string) ast.Expr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == name {
				return kv.Value
			}
		}
	}
	return nil
}

// text returns a string literal, else "".
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// A constant is a name for a code in a package that does not know the catalogue.
type constant struct{ dir, name, code string }

// constants reads the constants of a file whose value is a code.
func constants(t *testing.T, path string) (list []constant) {
	t.Helper()
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			for i, v := range spec.Values {
				if _, ok := check.Lookup(text(v)); ok {
					list = append(list, constant{pathpkg.Dir(path), spec.Names[i].Name, text(v)})
				}
			}
		}
		return false
	})
	return list
}

// visit finds the codes of a file: check.Name, constants, and text. With raising,
// what only asks for a code is left out.
func visit(t *testing.T, path string, names map[string]string, consts []constant, raising bool, add func(code, file string)) {
	t.Helper()
	dir := pathpkg.Dir(path)
	find := func(pkg, name string) string {
		for _, c := range consts {
			if c.name == name && (pkg == "" && c.dir == dir || pkg != "" && pathpkg.Base(c.dir) == pkg) {
				return c.code
			}
		}
		return ""
	}
	var walk func(n ast.Node) bool
	walk = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return !raising || n.Tok != token.CONST
		case *ast.BinaryExpr:
			return !raising || n.Op != token.EQL && n.Op != token.NEQ
		case *ast.CaseClause:
			if raising {
				for _, s := range n.Body {
					ast.Inspect(s, walk)
				}
				return false
			}
		case *ast.KeyValueExpr: // a table that is looked up by code
			if id, ok := n.Key.(*ast.Ident); ok && raising && find("", id.Name) != "" {
				return false
			}
		case *ast.CallExpr: // rec.has(check.X) asks
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && raising && sel.Sel.Name == "has" {
				return false
			}
		case *ast.CompositeLit: // so is a list of checks
			if array, ok := n.Type.(*ast.ArrayType); ok && raising {
				if star, ok := array.Elt.(*ast.StarExpr); ok {
					if sel, ok := star.X.(*ast.SelectorExpr); ok && sel.Sel.Name == "Check" {
						return false
					}
				}
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			code := find(pkg.Name, n.Sel.Name)
			if pkg.Name == "check" && names[n.Sel.Name] != "" {
				code = names[n.Sel.Name]
			}
			if code != "" {
				add(code, path)
			}
			return false
		case *ast.Ident:
			if code := find("", n.Name); code != "" {
				add(code, path)
			}
		case *ast.BasicLit:
			if raising {
				if _, ok := check.Lookup(text(n)); ok {
					add(text(n), path)
				}
				return true
			}
			for _, code := range codeForm.FindAllString(text(n), -1) {
				add(code, path)
			}
		}
		return true
	}
	ast.Inspect(parse(t, path), walk)
}
