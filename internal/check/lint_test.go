package check_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// TestLintCodes compares the findings of the lint in package policy, which knows
// nothing of this catalogue, with its entries: the same codes, as grave.
func TestLintCodes(t *testing.T) {
	raised := map[string][]string{} // code -> severities
	files, err := filepath.Glob("../../policy/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of package policy: %v", err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for i, arg := range call.Args[:max(len(call.Args)-1, 0)] {
				lit, ok := arg.(*ast.BasicLit)
				if !ok {
					continue
				}
				code, _ := strconv.Unquote(lit.Value)
				severity, ok := call.Args[i+1].(*ast.Ident)
				if strings.HasPrefix(code, "policy.lint.") && ok {
					raised[code] = append(raised[code], severity.Name)
				}
			}
			return true
		})
	}
	want, got := map[string]check.Severity{}, map[string]check.Severity{}
	for code, severities := range raised {
		want[code] = check.Warning
		if !slices.ContainsFunc(severities, func(s string) bool { return s != "Info" }) {
			want[code] = check.Note
		}
	}
	for _, c := range check.All() {
		if strings.HasPrefix(c.Code, "policy.lint.") {
			got[c.Code] = c.Severity
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lint codes (-policy +catalogue):\n%s", diff)
	}
	if len(want) < 20 {
		t.Errorf("only %d lint codes found in package policy", len(want))
	}
}
