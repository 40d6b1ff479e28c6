// Package conformance is what Gatehouse does of MQTT, row by row of the tables of the mqtt sheet. A
// row is shown here, over TLS against a Gatehouse in process, with the bytes that a device sends and
// gets; or by tests elsewhere, which are named, and looked up in the source.
package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A row is one row of a table of the sheet.
type row struct {
	section, name string

	show     func(*peer) // once for each of versions, on a connection that has sent nothing yet
	versions []mqtt.Version
	tests    []string // "folder TestName", and after a colon a case that it has
}

func (r row) String() string { return r.section + " " + r.name }

// also adds tests elsewhere that show the row too.
func (r row) also(tests ...string) row {
	r.tests = append(r.tests, tests...)
	return r
}

// elsewhere is a row that tests in other packages show.
func elsewhere(section, name string, tests ...string) row {
	return row{section: section, name: name, tests: tests}
}

// each is a row that show shows for both versions.
func each(section, name string, show func(*peer)) row {
	return row{section: section, name: name, show: show, versions: []mqtt.Version{mqtt.V311, mqtt.V5}}
}

// only5 is a row of MQTT 5 alone.
func only5(section, name string, show func(*peer)) row {
	return row{section: section, name: name, show: show, versions: []mqtt.Version{mqtt.V5}}
}

// answers is a row about what a device in a session gets for packets, or bytes, until a PINGREQ that
// follows them is answered ("open") or the connection ends. An empty text leaves the version out.
func answers(section, name, v3, v5 string, packets ...any) row {
	r := each(section, name, func(p *peer) {
		p.connect()
		p.send(packets...)
		p.sees(v3, v5)
	})
	return r.unless(v3, v5)
}

// connects is a row about the answer to a CONNECT.
func connects(section, name, v3, v5 string, change func(*mqtt.Connect)) row {
	r := each(section, name, func(p *peer) {
		p.send(p.hello(change))
		p.sees(v3, v5)
	})
	return r.unless(v3, v5)
}

func (r row) unless(v3, v5 string) row {
	r.versions = slices.DeleteFunc(r.versions, func(v mqtt.Version) bool { return v == mqtt.V311 && v3 == "" || v == mqtt.V5 && v5 == "" })
	return r
}

var table = slices.Concat(
	packetRows, connectRows, connackRows, sessionRows, publishRows, subscribeRows, deliveryRows, retainedRows, willRows, sharedRows,
	propertyRows, reasonRows, endRows, keepAliveRows, topicRows, eventRows, connectionRows, limitRows, statementRows,
)

func TestConformance(t *testing.T) {
	w := newWorld(t)
	for _, r := range table {
		for _, v := range r.versions {
			t.Run(fmt.Sprintf("%s %s", r, v), func(t *testing.T) { r.show(w.dial(t, v)) })
		}
	}
	if !t.Failed() {
		w.checkReasons(t)
	}
}

// sections are those of the sheet that have tables, or lists that are as good.
var sections = strings.Fields("1 2.1 2.2 2.3 3 4.1 4.2 5.1 6.1 6.2 6.3 7 8 9 10 11.1 11.2 12 13 14 15.1 15.2 16 17 18 20 21")

// TestEveryRowIsShown: each row has what shows it, and the tests that are named exist.
func TestEveryRowIsShown(t *testing.T) {
	seen, shown, named := map[string]bool{}, 0, 0
	for _, r := range table {
		if seen[r.String()] {
			t.Errorf("there are two rows %s", r)
		}
		seen[r.String()], seen[r.section] = true, true
		if !slices.Contains(sections, r.section) {
			t.Errorf("%s: no such section", r)
		}
		switch {
		case r.show != nil && len(r.versions) > 0:
			shown++
		case len(r.tests) > 0:
			named++
		default:
			t.Errorf("%s: nothing shows it", r)
		}
		for _, test := range r.tests {
			if err := exists(test); err != nil {
				t.Errorf("%s: %v", r, err)
			}
		}
	}
	for _, s := range sections {
		if !seen[s] {
			t.Errorf("section %s has no row", s)
		}
	}
	t.Logf("%d rows: %d shown here, %d by tests elsewhere", shown+named, shown, named)
}

// packages are the test functions of folders: name -> the texts in them.
var packages = map[string]map[string][]string{}

// exists tells whether a test that a row names is there, and the case of it.
func exists(test string) error {
	where, what, _ := strings.Cut(test, ": ")
	folder, name, _ := strings.Cut(where, " ")
	if packages[folder] == nil {
		functions, err := testsIn(folder)
		if err != nil {
			return err
		}
		packages[folder] = functions
	}
	texts, ok := packages[folder][name]
	if !ok {
		return fmt.Errorf("%s has no test %s", folder, name)
	}
	if what != "" && !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, what) }) {
		return fmt.Errorf("%s in %s has no case %q", name, folder, what)
	}
	return nil
}

// testsIn reads the tests of a folder. A test has the texts of its function, or, where the cases of
// it stand in tables outside, those of the package.
func testsIn(folder string) (map[string][]string, error) {
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		return nil, err
	} else if len(files) == 0 {
		return nil, fmt.Errorf("there are no tests in %s", folder)
	}
	functions, outside := map[string][]string{}, []string(nil)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range parsed.Decls {
			var texts []string
			ast.Inspect(d, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						texts = append(texts, s)
					}
				}
				return true
			})
			if f, ok := d.(*ast.FuncDecl); !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				outside = append(outside, texts...)
			} else {
				functions[f.Name.Name] = texts
			}
		}
	}
	for name := range functions {
		functions[name] = append(functions[name], outside...)
	}
	return functions, nil
}
